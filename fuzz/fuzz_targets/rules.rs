#![no_main]
libfuzzer_sys::fuzz_target!(|text: &str| dashcam::fuzzing::rules(text));
