#![no_main]
libfuzzer_sys::fuzz_target!(|input: (u8, bool, &[u8], &[u8])| {
    let (kind, ended, before, after) = input;
    dashcam::fuzzing::format(kind, ended, before, after);
});
