//! HTTP/1 in the form of the comparison.

/// Every byte as a character, without the two lines that differ every time.
pub(crate) fn transcript(raw: &[u8]) -> String {
    raw.split_inclusive(|byte| *byte == b'\n')
        .filter(|line| {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            !name.eq_ignore_ascii_case(b"date") && !name.eq_ignore_ascii_case(b"x-request-id")
        })
        .flatten()
        .map(|byte| char::from(*byte))
        .collect()
}

/// The status of each head, in their order.
pub(crate) fn statuses(transcript: &str) -> String {
    let heads = transcript.split("HTTP/1.").skip(1);
    let statuses: Vec<_> = heads
        .filter_map(|head| head.get(2..5))
        .filter(|status| status.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    statuses.join(" ")
}
