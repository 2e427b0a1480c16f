#![no_main]
libfuzzer_sys::fuzz_target!(|input: (u8, u8, bool, &[u8])| {
    let (kind, coding, ended, body) = input;
    dashcam::fuzzing::coding(kind, coding, ended, body);
});
