#![no_main]
libfuzzer_sys::fuzz_target!(|input: (&str, &str, &str)| {
    let (value, before, after) = input;
    dashcam::fuzzing::scrub(value, before, after);
});
