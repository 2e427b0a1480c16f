#![no_main]
libfuzzer_sys::fuzz_target!(|input: (&str, &[u8], &[u8])| {
    let (name, before, after) = input;
    dashcam::fuzzing::fields(name, before, after);
});
