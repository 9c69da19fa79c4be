#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cupel_fuzz::read_everything(bytes);
    // The same as a file of MATLAB 7.3.
    let mut block = b"MATLAB 7.3 MAT-file".to_vec();
    block.resize(512, b' ');
    block.extend(bytes);
    cupel_fuzz::read_everything(&block);
});
