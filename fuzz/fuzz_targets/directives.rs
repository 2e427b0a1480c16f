#![no_main]
libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = text.parse::<dashcam::gate::BaseFilter>();
});
