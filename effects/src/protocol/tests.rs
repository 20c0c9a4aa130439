use super::*;

/// Sees a call through with given answers; yields also what was asked for, and the waits.
fn play(retries: u32, asks_first: bool, answers: &[Answer]) -> (Outcome, String, Vec<u128>) {
    let (mut answers, mut verbs, mut waits) = (answers.iter(), String::new(), Vec::new());
    let patience = Patience { retries, backoff: Duration::from_millis(200) };
    let mut adapter = |verb, attempt: u32| {
        verbs.push(if verb == Verb::Make { 'm' } else { 'a' });
        verbs.push_str(&attempt.to_string());
        answers.next().expect("no more is asked for").clone()
    };
    let outcome = see_through(patience, asks_first, &mut adapter, &mut |time| waits.push(time.as_millis()));
    assert_eq!(answers.next(), None, "after {verbs}");
    (outcome, verbs, waits)
}

fn done() -> Answer {
    Answer::done("ok")
}
fn no() -> Answer {
    Answer::failed("no")
}
fn busy() -> Answer {
    Answer::failed_for_now("busy")
}
fn lost() -> Answer {
    Answer::unknown("lost")
}
fn absent() -> Answer {
    Answer::absent("")
}

#[test]
fn what_is_done_or_failed_is_settled() {
    assert_eq!(play(3, false, &[done()]), (Outcome::new(Fate::Done, "ok", 1), "m1".into(), vec![]));
    assert_eq!(play(3, false, &[no()]), (Outcome::new(Fate::Failed, "no", 1), "m1".into(), vec![]));
}

#[test]
fn what_may_succeed_later_is_made_again_with_longer_waits() {
    let (outcome, verbs, waits) = play(3, false, &[busy(), busy(), done()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Done, 3, "m1m2m3"));
    assert_eq!(waits, [200, 400]);
    let (outcome, verbs, _) = play(1, false, &[busy(), busy()]);
    assert_eq!((outcome, verbs.as_str()), (Outcome::new(Fate::Failed, "busy", 2), "m1m2"));
    let (outcome, ..) = play(0, false, &[busy()]);
    assert_eq!(outcome.attempts, 1);
    let mut answers = vec![busy(); 12];
    answers.push(done());
    let (_, _, waits) = play(20, false, &answers);
    assert_eq!(waits.get(6..), Some([12_800, 25_600, 30_000, 30_000, 30_000, 30_000].as_slice()));
}

#[test]
fn nothing_is_made_again_before_it_was_asked_about() {
    let (outcome, verbs, waits) = play(3, false, &[lost(), done()]);
    assert_eq!((outcome, verbs.as_str()), (Outcome::new(Fate::Done, "ok", 1), "m1a1"));
    assert!(waits.is_empty());
    let (outcome, verbs, _) = play(3, false, &[lost(), no()]);
    assert_eq!((outcome.status, verbs.as_str()), (Fate::Failed, "m1a1"));
    let (outcome, verbs, _) = play(3, false, &[lost(), absent(), lost(), lost(), done()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Done, 2, "m1a1m2a2a2"));
    let (outcome, verbs, _) = play(3, false, &[lost(), busy(), done()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Done, 2, "m1a1m2"));
}

#[test]
fn what_nobody_can_tell_stays_unknown_and_is_not_made_again() {
    let (outcome, verbs, waits) = play(2, false, &[lost(), lost(), lost(), lost()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Unknown, 1, "m1a1a1a1"));
    assert_eq!(outcome.detail, "lost; asked what became of it: lost");
    assert_eq!(waits, [200, 400]);
    // What was asked again is counted over the whole call: it comes to an end whatever is answered.
    let (outcome, verbs, _) = play(1, false, &[lost(), lost(), absent(), lost(), lost()]);
    assert_eq!((outcome.status, verbs.as_str()), (Fate::Unknown, "m1a1a1m2a2"));
}

#[test]
fn what_was_never_received_failed_when_it_is_not_made_again() {
    let (outcome, verbs, _) = play(1, false, &[lost(), absent(), lost(), absent()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Failed, 2, "m1a1m2a2"));
    assert_eq!(outcome.detail, "it was never received; lost");
}

#[test]
fn a_call_that_may_have_been_made_is_asked_about_first() {
    let (outcome, verbs, _) = play(3, true, &[done()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Done, 0, "a1"));
    let (outcome, verbs, _) = play(3, true, &[no()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Failed, 0, "a1"));
    let (outcome, verbs, waits) = play(3, true, &[absent(), done()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Done, 1, "a1m1"));
    assert!(waits.is_empty());
    let (outcome, verbs, _) = play(1, true, &[lost(), lost()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Unknown, 0, "a1a1"));
    assert_eq!(outcome.detail, "asked what became of it: lost");
    let (outcome, verbs, _) = play(0, true, &[absent(), busy()]);
    assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Failed, 1, "a1m1"));
}

#[test]
fn absent_answers_only_a_question() {
    let (outcome, verbs, _) = play(3, false, &[absent(), done()]);
    assert_eq!((outcome.status, verbs.as_str()), (Fate::Done, "m1a1"));
}

/// Whatever an adapter answers: after `done` nothing follows, and no call follows on one that is not known to have failed.
#[test]
fn every_sequence_of_answers_keeps_the_rules() {
    let all = [done(), no(), busy(), lost(), absent()];
    for asks_first in [false, true] {
        for number in 0..5usize.pow(7) {
            let (mut rest, mut log) = (number, Vec::new());
            let patience = Patience { retries: 1, backoff: Duration::from_millis(1) };
            let mut adapter = |verb, _| {
                let answer = all[rest % 5].clone();
                rest /= 5;
                log.push((verb, answer.clone()));
                answer
            };
            let outcome = see_through(patience, asks_first, &mut adapter, &mut |_| {});
            let makes = log.iter().filter(|(verb, _)| *verb == Verb::Make).count();
            assert_eq!(makes, outcome.attempts as usize);
            assert!(makes <= 2 && log.len() - makes <= 4, "{log:?}");
            for pair in log.windows(2) {
                assert_ne!(pair[0].1.status, Status::Done, "{log:?}");
                let safe = pair[0].1.retry || pair[0].1.status == Status::Absent && pair[0].0 == Verb::Ask;
                assert!(pair[1].0 == Verb::Ask || safe, "{log:?}");
            }
            let last = &log.last().unwrap().1;
            assert_eq!(outcome.status == Fate::Done, last.status == Status::Done);
            assert_eq!(outcome.status == Fate::Unknown, last.status == Status::Unknown);
        }
    }
}
