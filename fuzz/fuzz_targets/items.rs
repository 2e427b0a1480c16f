#![no_main]
libfuzzer_sys::fuzz_target!(|input: (u8, u8, &[u8])| {
    let (framing, chunk, bytes) = input;
    dashcam::fuzzing::items(framing, chunk, bytes);
});
