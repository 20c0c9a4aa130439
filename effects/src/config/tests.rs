use super::*;

fn parse(text: &str) -> Result<Adapters, ConfigError> {
    Adapters::parse(text, Path::new("/etc/shop/adapters.toml"))
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn the_example_is_read_and_the_rest_has_defaults() {
    let adapters = parse(EXAMPLE).unwrap();
    let shop = adapters.find("shop").unwrap();
    assert_eq!(shop.program, Path::new("counterfoil-adapter-http"));
    assert_eq!(shop.args.len(), 4);
    assert_eq!((shop.timeout, shop.retries), (Duration::from_secs(30), 3));
    assert_eq!((shop.backoff, shop.sandbox), (Duration::from_millis(200), false));
    assert_eq!(shop.dir.as_deref(), Some(Path::new("/etc/shop")));
}

#[test]
fn every_setting_is_taken() {
    let adapters = parse(
        "[adapters.\"e mail\"]\nprogram = \"./bin/mail\"\nargs = [\"-v\"]\ntimeout = \"2m\"\nretries = 20\n\
         backoff = \"1s\"\nsandbox = true\n[adapters.b]\nprogram = \"/bin/b\"\n",
    )
    .unwrap();
    let mail = Adapter {
        name: "e mail".to_owned(),
        program: "/etc/shop/./bin/mail".into(),
        args: vec!["-v".to_owned()],
        dir: Some("/etc/shop".into()),
        timeout: Duration::from_secs(120),
        retries: 20,
        backoff: Duration::from_secs(1),
        sandbox: true,
    };
    assert_eq!(adapters.find("e mail").unwrap(), &mail);
    assert_eq!(adapters.find("b").unwrap().program, Path::new("/bin/b"));
    assert_eq!(adapters.iter().count(), 2);
}

#[test]
fn faults_are_told_with_their_place() {
    let place = "/etc/shop/adapters.toml";
    for (text, line, fault) in [
        (
            "[adapters.a]\nprogram = \"a\"\ntimeout = \"10\"\n",
            3,
            "`10` cannot be taken for `adapters.a.timeout`: a time is a whole number",
        ),
        ("[adapters.a]\nprogram = \"a\"\nbackoff = 3\n", 3, "`adapters.a.backoff` is a time in quotes"),
        (
            "[adapters.a]\nprogram = \"a\"\nretries = 21\n",
            3,
            "`adapters.a.retries` is a whole number from 0 to 20",
        ),
        ("[adapters.a]\nprogram = \"a\"\nretries = -1\n", 3, "`adapters.a.retries` is"),
        ("[adapters.a]\nprogram = \"a\"\nargs = \"x\"\n", 3, "`adapters.a.args` is a list of texts"),
        ("[adapters.a]\nprogram = \"a\"\nargs = [\n\"x\",\n3]\n", 5, "`adapters.a.args` is a list of texts"),
        ("[adapters.a]\nprogram = \"a\\u0000\"\n", 2, "`adapters.a.program` is without the sign 0"),
        ("[adapters.a]\nprogram = \"\"\n", 2, "`adapters.a.program` is not empty"),
        ("[adapters.a]\nprogram = \"a\"\nsandbox = \"yes\"\n", 3, "`adapters.a.sandbox` is true or false"),
        (
            "[adapters.a]\nprogram = \"a\"\nretry = 3\n",
            3,
            "`adapters.a.retry` is no setting; an adapter has program, args",
        ),
        ("\n[adapters.a]\nargs = []\n", 2, "`adapters.a` needs `program`"),
        ("\nadapter = 3\n", 2, "`adapter` is no setting; adapters are tables"),
        ("adapters = 3\n", 1, "`adapters` is tables by name"),
        ("[adapters]\na = 3\n", 2, "`adapters.a` is a table"),
        ("[adapters.\"\"]\nprogram = \"a\"\n", 1, "the name `` of an adapter cannot be taken"),
        ("[adapters.\"a\\tb\"]\nprogram = \"a\"\n", 1, "the name `a\\tb` of an adapter cannot be taken"),
        ("[adapters.a\n", 1, "this is not TOML"),
        ("[adapters.a]\nprogram = \"a\"\nprogram = \"b\"\n", 3, "this is not TOML: duplicate key"),
    ] {
        let refused = refusal(text);
        assert!(refused.starts_with(&format!("{place}:{line}: {fault}")), "{text}: {refused}");
    }
    let long = "n".repeat(NAME_BYTES + 1);
    assert!(refusal(&format!("[adapters.{long}]\n")).contains("cannot be taken"));
    assert!(refusal(&"#".repeat(FILE_BYTES + 1)).contains("more than"));
}

#[test]
fn a_missing_file_says_how_to_write_one() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Adapters::read(&dir.path().join("none.toml")).unwrap_err().to_string();
    assert!(refused.contains("none.toml does not exist") && refused.contains("[adapters.shop]"), "{refused}");
    assert!(matches!(Adapters::read(dir.path()), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn a_missing_adapter_says_which_there_are() {
    let refused = parse(EXAMPLE).unwrap().find("mail").unwrap_err().to_string();
    assert!(refused.contains("names no adapter `mail`; it names shop. Add [adapters.mail]"), "{refused}");
    assert!(parse("").unwrap().find("mail").unwrap_err().to_string().contains("it names none"));
}
