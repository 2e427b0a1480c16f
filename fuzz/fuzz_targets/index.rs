#![no_main]
libfuzzer_sys::fuzz_target!(|input: (&[u8], &[u8])| {
    let (file, entries) = input;
    dashcam::fuzzing::index(file, entries);
});
