#![no_main]
libfuzzer_sys::fuzz_target!(|input: (&[u8], &[u8])| {
    let (before, after) = input;
    dashcam::fuzzing::kit(before, after);
});
