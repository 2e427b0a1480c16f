#![no_main]
libfuzzer_sys::fuzz_target!(|fields: Vec<(u8, &[u8])>| dashcam::fuzzing::trace(&fields));
