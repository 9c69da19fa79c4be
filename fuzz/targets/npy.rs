#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cupel_fuzz::read_everything(bytes);
    // Past the magic, which mutation seldom hits.
    cupel_fuzz::read_everything(&[b"\x93NUMPY\x01\x00", bytes].concat());
});
