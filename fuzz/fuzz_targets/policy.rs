#![no_main]
libfuzzer_sys::fuzz_target!(|input: (&str, &[u8])| {
    let (text, body) = input;
    dashcam::fuzzing::policy(text, body);
});
