//! TLS: whom to trust, and what a handshake that failed says.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, Error, RootCertStore};
use std::path::Path;
use ureq::tls::{Certificate, RootCerts};

/// Reads the authorities that a file in PEM has. Each must be a certificate, and there must be one.
pub fn authorities(file: &Path) -> Result<RootCerts, String> {
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    let mut store = RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| format!("it is no PEM: {error}"))?;
        let place = store.len().saturating_add(1);
        // Whoever makes the connection would pass over what is no certificate.
        store.add(certificate.clone()).map_err(|error| format!("its certificate {place}: {error}"))?;
        certificates.push(Certificate::from_der(&certificate).to_owned());
    }
    match certificates.is_empty() {
        true => Err("it has no certificate in PEM".to_owned()),
        false => Ok(RootCerts::from(certificates)),
    }
}

/// Whether a certificate can be for a host, as a URL has it.
pub fn is_name(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    ServerName::try_from(bare.unwrap_or(host)).is_ok()
}

/// The fault of TLS that an error comes from.
pub fn fault(error: &ureq::Error) -> Option<&Error> {
    match error {
        ureq::Error::Rustls(fault) => Some(fault),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// What is wrong with a certificate: more words after "its certificate".
pub fn words(fault: &CertificateError, private: bool) -> String {
    use CertificateError as Is;
    let words = match fault {
        Is::UnknownIssuer if private => "is by no authority of --ca-file",
        Is::UnknownIssuer => "is by no public authority; --ca-file trusts a private one",
        Is::NotValidForName | Is::NotValidForNameContext { .. } => "is for another name",
        Is::Expired | Is::ExpiredContext { .. } => "has expired, by the clock of this machine",
        Is::NotValidYet | Is::NotValidYetContext { .. } => "is not valid yet, by the clock of this machine",
        Is::BadSignature => "has a signature that is wrong",
        // That it is this one is told by no value that can be named here.
        Is::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "is an authority's (CA:TRUE), which is no certificate of a receiver"
        }
        _ => return format!("does not hold: {fault}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hosts_or_addresses() {
        for (host, is) in
            [("shop.example", true), ("127.0.0.1", true), ("[::1]", true), ("[x", false), ("a..b", false)]
        {
            assert_eq!(is_name(host), is, "{host}");
        }
    }

    #[test]
    fn files_of_authorities_have_certificates_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        assert!(authorities(&file).is_err());
        let good = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap().cert.pem();
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, fault) in [
            (String::new(), "it has no certificate in PEM"),
            ("nonsense".to_owned(), "it has no certificate in PEM"),
            (good.replace("END", "EN"), "it is no PEM"),
            (format!("{good}{bad}"), "its certificate 2: "),
        ] {
            std::fs::write(&file, &text).unwrap();
            let refused = authorities(&file).unwrap_err();
            assert!(refused.contains(fault), "{text}: {refused}");
        }
        std::fs::write(&file, format!("# ours\n{good}{good}")).unwrap();
        assert!(authorities(&file).is_ok());
    }
}
