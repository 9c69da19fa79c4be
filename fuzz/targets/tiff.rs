#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cupel_fuzz::read_everything(bytes));
