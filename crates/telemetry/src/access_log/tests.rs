//! What lines look like, and that none is lost unseen.

use std::fs;
use std::path::PathBuf;

use super::*;

fn render(format: &str, escape: Escape, value: Option<&[u8]>) -> String {
    let template = Template::parse(format, escape, |name| Some(name.to_owned()), |_| false).unwrap();
    let mut line = Vec::new();
    template.render(&mut line, |_, out| {
        out.extend_from_slice(value.unwrap_or_default());
        value.is_some()
    });
    String::from_utf8(line).unwrap()
}

#[test]
fn a_format_is_split_at_its_variables() {
    let mut names = Vec::new();
    let parsed = Template::parse(
        "$a - [${b}c] \"$d_1\" x",
        Escape::Default,
        |name| {
            names.push(name.to_owned());
            Some(())
        },
        |()| false,
    );
    let mut line = Vec::new();
    parsed.unwrap().render(&mut line, |(), out| {
        out.push(b'v');
        true
    });
    assert_eq!(names, ["a", "b", "d_1"]);
    assert_eq!(line, b"v - [vc] \"v\" x");
}

#[test]
fn a_broken_format_says_where() {
    for (format, error) in [
        ("a $", InvalidFormat::Nameless(2)),
        ("$a $-", InvalidFormat::Nameless(3)),
        ("${}", InvalidFormat::Nameless(0)),
        ("é${a", InvalidFormat::Open(2)),
        ("$nope", InvalidFormat::Unknown("nope".to_owned())),
    ] {
        let parsed = Template::parse(format, Escape::Default, |name| (name == "a").then_some(()), |()| false);
        assert_eq!(parsed.unwrap_err(), error, "{format}");
    }
}

#[test]
fn values_are_escaped_as_nginx_does() {
    for (escape, value, line) in [
        (Escape::Default, Some(&b"a b~"[..]), "[a b~]"),
        (Escape::Default, Some(b"a\"b\\\n\x7f\xc3\xa9"), "[a\\x22b\\x5C\\x0A\\x7F\\xC3\\xA9]"),
        (Escape::Default, Some(b""), "[]"),
        (Escape::Default, None, "[-]"),
        (Escape::Json, Some(b"a\"\\\n\r\t\x08\x0c\x01/"), "[a\\\"\\\\\\n\\r\\t\\b\\f\\u0001/]"),
        (Escape::Json, Some("é".as_bytes()), "[é]"),
        (Escape::Json, Some(b"\xff"), "[\u{fffd}]"),
        (Escape::Json, None, "[]"),
        (Escape::None, Some(b"a\"\n"), "[a\"\n]"),
        (Escape::None, None, "[]"),
    ] {
        assert_eq!(render("[$v]", escape, value), line, "{escape:?} {value:?}");
    }
}

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("lockgate-{}-{name}.log", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn every_line_of_every_worker_is_written() {
    let path = scratch("workers");
    let log = AccessLog::open(&path).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let mut writer = log.writer();
            scope.spawn(move || {
                for line in 0..1000 {
                    writer.append(|out| out.extend_from_slice(format!("{worker} {line}").as_bytes()));
                }
            });
        }
    });
    assert_eq!(log.dropped(), 0);
    drop(log);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4000);
    assert!(text.lines().all(|line| line.split(' ').count() == 2), "lines stay whole");
    fs::remove_file(path).unwrap();
}

#[test]
fn a_buffer_is_written_when_it_is_full() {
    for (asked, written_from) in [(0, 4096), (8192, 8192)] {
        let path = scratch(&format!("buffer-{asked}"));
        let log = AccessLog::open(&path).unwrap();
        let mut writer = log.writer().gathering(asked);
        // Each line has 1 KiB with its end.
        for _ in 0..written_from / 1024 {
            writer.append(|out| out.resize(out.len() + 1023, b'x'));
        }
        while fs::metadata(&path).unwrap().len() != written_from {
            std::thread::yield_now();
        }
        writer.append(|out| out.push(b'x'));
        drop(log);
        assert_eq!(fs::metadata(&path).unwrap().len(), written_from, "the rest waits");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_rotated_file_is_opened_anew() {
    let (path, old) = (scratch("rotated"), scratch("rotated-old"));
    let log = AccessLog::open(&path).unwrap();
    let mut writer = log.writer();
    writer.append(|out| out.extend_from_slice(b"before"));
    writer.flush();
    fs::rename(&path, &old).unwrap();
    log.reopen();
    while !path.exists() {
        std::thread::yield_now();
    }
    writer.append(|out| out.extend_from_slice(b"after"));
    drop(writer);
    drop(log);
    assert_eq!(fs::read_to_string(&old).unwrap(), "before\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
    fs::remove_file(path).unwrap();
    fs::remove_file(old).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_counted() {
    let log = AccessLog::open("/dev/full".as_ref()).unwrap();
    let mut writer = log.writer();
    for _ in 0..3 {
        writer.append(|out| out.extend_from_slice(b"x"));
    }
    drop(writer);
    while log.dropped() != 3 {
        std::thread::yield_now();
    }
}

#[test]
fn a_log_that_cannot_be_opened_says_so() {
    assert!(AccessLog::open("/nowhere/at/all.log".as_ref()).is_err());
}
