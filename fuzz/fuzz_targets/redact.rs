#![no_main]
libfuzzer_sys::fuzz_target!(|input: (u8, bool, &[u8], &str)| {
    let (kind, ended, body, text) = input;
    dashcam::fuzzing::redact(kind, ended, body, text);
});
