use expect_test::expect;

use super::*;

fn entry(package: &str, kind: StepKind, ended: Ended) -> Entry {
    let blocked_by = match ended {
        Ended::Skipped(_) => Some("build of a 1".to_owned()),
        _ => None,
    };
    Entry { package: package.into(), kind, ended, took: Duration::from_millis(1500), blocked_by }
}

fn failed(group: &str, message: &str, kind: Kind) -> Ended {
    Ended::Failed(Box::new(Failure {
        kind,
        group: group.into(),
        message: message.into(),
        causes: vec!["exit status 1".into()],
        log_tail: vec!["fatal error: ffi.h".into()],
        hints: vec!["install libffi-dev".into()],
        kept: None,
    }))
}

fn sample() -> Report {
    Report {
        entries: vec![
            entry("a 1", StepKind::Build, failed("missing-header:ffi.h", "no ffi.h", Kind::Build)),
            entry("b 1", StepKind::Build, failed("missing-header:ffi.h", "no ffi.h", Kind::Build)),
            entry("c 1", StepKind::Fetch, failed("hash", "not the promised bytes", Kind::Hash)),
            entry("d 1", StepKind::Build, Ended::Skipped(0)),
            entry("e 1", StepKind::Build, Ended::Done),
        ],
        took: Duration::from_secs(3),
        ..Report::default()
    }
}

#[test]
fn a_letter_that_xml_has_not_spoils_no_report() {
    let said = "no\u{ffff} \u{fffe}\u{202e}ffi.h\u{1b}";
    let entries = vec![entry("a 1", StepKind::Build, failed(said, said, Kind::Build))];
    let text = junit::xml(&Report { entries, ..Report::default() }).unwrap();
    assert!(!text.contains(['\u{ffff}', '\u{fffe}', '\u{202e}', '\u{1b}']), "{text}");
    assert!(text.contains("ffi.h"), "{text}");
}

#[test]
fn a_stranger_s_words_are_no_html_and_end_no_cell() {
    let said = "x <img src=y> a\\|b";
    let entries = vec![entry("a 1", StepKind::Build, failed(said, said, Kind::Build))];
    let text = markdown::text(&Report { entries, ..Report::default() });
    let row = text.lines().find(|l| l.starts_with("| x")).unwrap();
    assert_eq!(row.matches('|').count(), 5, "{row}");
    assert!(!text.contains("<img"), "{text}");
}

#[test]
fn failures_are_grouped_by_cause() {
    expect![[r#"
        error: 2 packages failed alike: a 1, b 1
          build of a 1: no ffi.h
            exit status 1
            the log ends so (`wheelwright log a` prints all of it):
            | fatal error: ffi.h
            hint: install libffi-dev
          build of b 1: no ffi.h
            exit status 1
        error: fetch of c 1 failed: not the promised bytes
          exit status 1
          the log ends so (`wheelwright log c --step fetch` prints all of it):
          | fatal error: ffi.h
          hint: install libffi-dev
        not reached because of build of a 1: d 1
    "#]]
    .assert_eq(&sample().text());
    assert_eq!(sample().kind(), Some(Kind::Hash));
}

#[test]
fn a_report_is_junit_and_markdown_too() {
    let xml = junit::xml(&sample()).unwrap();
    assert!(xml.contains(r#"tests="5" failures="3""#) || xml.contains(r#"failures="3""#), "{xml}");
    assert!(xml.contains("missing-header:ffi.h"));
    expect![[r#"
        # wheelwright

        1 built, 0 reused, 3 failed, 1 not reached, 3.0 s

        ## Failures

        | cause | package | step | message |
        |---|---|---|---|
        | missing-header:ffi.h | a 1 | build | no ffi.h |
        | missing-header:ffi.h | b 1 | build | no ffi.h |
        | hash | c 1 | fetch | not the promised bytes |

        ### build of a 1

        - exit status 1
        - install libffi-dev

        <details><summary>the end of its log</summary>

        ```text
        fatal error: ffi.h
        ```

        </details>

        ### fetch of c 1

        - exit status 1
        - install libffi-dev

        <details><summary>the end of its log</summary>

        ```text
        fatal error: ffi.h
        ```

        </details>

        ## Built

        | package | seconds |
        |---|---|
        | e 1 | 1.50 |
    "#]]
    .assert_eq(&markdown::text(&sample()));
}

#[test]
fn a_stopped_run_says_what_is_known() {
    let report = Report {
        entries: vec![
            entry("a 1", StepKind::Build, Ended::Done),
            entry("b 1", StepKind::Build, Ended::Stopped),
            entry("c 1", StepKind::Build, Ended::NotStarted),
        ],
        took: Duration::from_secs(3),
        stopped: true,
        ..Report::default()
    };
    expect![[r#"
        stopped: what had been finished is kept
        stopped while it ran: build of b 1
        not started before the run was stopped: c 1
    "#]]
    .assert_eq(&report.text());
    let counts = report.counts();
    assert_eq!((counts.done, counts.failed, counts.stopped, counts.skipped), (1, 0, 1, 1));
    let xml = junit::xml(&report).unwrap();
    assert!(xml.contains("stopped while it ran") && xml.contains(r#"failures="0""#), "{xml}");
    let text = markdown::text(&report);
    assert!(text.contains("was stopped before its end") && text.contains("ran: build of b 1"), "{text}");
    assert!(!text.contains("## Failures"), "{text}");
    let json = serde_json::to_value(wire::ReportV1::from(&report)).unwrap();
    assert_eq!(
        (&json["ok"], &json["stopped"], &json["steps"][1]["outcome"]),
        (&false.into(), &true.into(), &"stopped".into())
    );
}
