use super::*;
use crate::{
    exchange::Exchange,
    export::{json_lines::torn::Reason, sample::sample},
};

fn line(exchange: &Exchange) -> String {
    serde_json::to_string(exchange).unwrap()
}

fn read_text(dir: &TempDir, text: impl AsRef<[u8]>) -> Vec<Result<Exchange, Torn>> {
    let path = dir.path().join("some.jsonl");
    fs::write(&path, text).unwrap();
    JsonLines::read(path).unwrap().collect()
}

#[test]
fn goes_on_after_a_bad_line() {
    let dir = TempDir::new();
    let (good, other) = (line(&sample("0")), line(&sample("1")));
    let newer = Exchange {
        schema: "dashcam.exchange/2".into(),
        ..sample("2")
    };
    let newer = line(&newer);
    let foreign = format!("{{\"schema\":\"{}\",\"x\":1}}", "é".repeat(100));
    let text = format!("{good}\n{{}}\n\n{newer}\nnot json\n{foreign}\n{other}\n");
    let read = read_text(&dir, &text);
    assert_eq!(read.len(), 6);
    assert_eq!(read[0].as_ref().unwrap(), &sample("0"));
    let place = |at: usize| {
        let torn = read[at].as_ref().unwrap_err();
        (torn.line, torn.offset)
    };
    let reason = |at: usize| read[at].as_ref().unwrap_err().reason.clone();
    assert_eq!(place(1), (2, good.len() as u64 + 1));
    assert!(matches!(reason(1), Reason::InvalidJson { .. }));
    assert_eq!(place(2), (4, good.len() as u64 + 5));
    let schema = "dashcam.exchange/2".into();
    assert_eq!(reason(2), Reason::UnknownSchema { schema });
    assert_eq!(place(3).0, 5);
    assert!(matches!(reason(3), Reason::InvalidJson { .. }));
    let schema = "é".repeat(64);
    assert_eq!(reason(4), Reason::UnknownSchema { schema });
    assert_eq!(read[5].as_ref().unwrap(), &sample("1"));
    let odd = good.replacen(
        "{\"kind\":\"",
        &format!("{{\"kind\":\"{}", "é".repeat(10_000)),
        1,
    );
    assert_ne!(odd, good);
    match read_text(&dir, &odd).remove(0).unwrap_err().reason {
        Reason::InvalidJson { message } => assert!(message.len() <= 1000, "{message}"),
        other => panic!("{other:?}"),
    }
    let shown = read[1].as_ref().unwrap_err().to_string();
    assert!(shown.contains("some.jsonl:2: not an exchange"), "{shown}");
}

#[test]
fn every_cut_of_the_last_line_is_torn_at_the_end() {
    let dir = TempDir::new();
    let mut last = sample("é\"\\");
    last.error = Some("ünïcode \u{1f980}".into());
    let (first, last) = (line(&sample("0")), line(&last));
    for cut in 1..last.len() {
        let text = [first.as_bytes(), b"\n", &last.as_bytes()[..cut]].concat();
        let read = read_text(&dir, text);
        assert_eq!(read.len(), 2);
        assert!(read[0].is_ok());
        let torn = read[1].as_ref().unwrap_err();
        assert_eq!(torn.reason, Reason::EndOfFile, "{cut}");
    }
    // If only the newline is missing, the exchange is complete.
    assert!(read_text(&dir, last)[0].is_ok());
}

#[test]
fn skips_a_line_that_is_too_long() {
    let dir = TempDir::new();
    let mut text = vec![b'x'; (16 << 20) + 1];
    text.push(b'\n');
    text.extend_from_slice(line(&sample("0")).as_bytes());
    let read = read_text(&dir, text);
    let torn = read[0].as_ref().unwrap_err();
    assert_eq!(torn.reason, Reason::TooLong);
    assert!(read[1].is_ok());
    assert_eq!(read.len(), 2);
}

#[test]
fn a_directory_has_only_its_files_in_order() {
    let dir = TempDir::new();
    let name = |day: u8| format!("exchanges-202501{day:02}T000000.000Z-1-000000.jsonl");
    for day in [2, 1, 3] {
        let text = line(&sample(&day.to_string())) + "\n";
        fs::write(dir.path().join(name(day)), text).unwrap();
    }
    fs::write(dir.path().join("other.jsonl"), "x\n").unwrap();
    fs::create_dir(dir.path().join(name(4))).unwrap();
    let mut lines = JsonLines::read(dir.path()).unwrap();
    assert_eq!(lines.next().unwrap().unwrap().id, "1");
    fs::remove_file(dir.path().join(name(2))).unwrap();
    assert_eq!(lines.next().unwrap().unwrap().id, "3");
    let torn = lines.next().unwrap().unwrap_err();
    assert!(matches!(torn.reason, Reason::Read(_)), "{torn}");
    assert!(lines.next().is_none() && lines.next().is_none());
}

#[test]
fn what_is_not_there_is_an_error() {
    let dir = TempDir::new();
    let path = dir.path().join("none");
    assert!(JsonLines::read(&path).is_err());
}
