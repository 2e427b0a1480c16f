#![no_main]
libfuzzer_sys::fuzz_target!(|values: Vec<&[u8]>| dashcam::fuzzing::head(&values));
