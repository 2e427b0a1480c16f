#![no_main]
libfuzzer_sys::fuzz_target!(|line: &[u8]| dashcam::fuzzing::exports(line));
