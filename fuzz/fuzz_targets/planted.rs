#![no_main]
libfuzzer_sys::fuzz_target!(|input: (&str, &str, usize)| {
    let (before, after, cut) = input;
    dashcam::fuzzing::planted(before, after, cut);
});
