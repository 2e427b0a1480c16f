#![no_main]
// What reads back must read back the same after it was written again.
libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    if let Ok(exchange) = serde_json::from_slice::<dashcam::exchange::Exchange>(line) {
        let text = serde_json::to_string(&exchange).unwrap();
        let again = serde_json::from_str::<dashcam::exchange::Exchange>(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }
});
