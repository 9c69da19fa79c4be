//! Reads a PNG back for the tests.

pub(crate) struct Pixels {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) colors: Vec<[u8; 3]>,
}

pub(crate) fn decode(bytes: &[u8]) -> Pixels {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut buffer).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    Pixels {
        width: info.width as usize,
        height: info.height as usize,
        colors: buffer[..info.buffer_size()].chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect(),
    }
}
