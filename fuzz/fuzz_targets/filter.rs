#![no_main]
libfuzzer_sys::fuzz_target!(|input: (&str, &str)| {
    let (name, value) = input;
    dashcam::fuzzing::filter(name, value);
});
