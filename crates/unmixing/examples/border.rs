//! A scene within a border that has no data: what pixels that are left out cost.
//!
//! ```text
//! cupel unmix simulate --pixels 1620000 --bands 200 --materials 5 --seed 1 --format envi --out inner.img
//! cargo run --release --example border -- inner.img bordered.img 69
//! ```
//!
//! writes the same numbers as f32 within 69 pixels of -9999 on every side, which its header marks as missing; with 0 without a border.

use std::{error::Error, path::Path};

use cupel_data::{AxisKind, EnviHeader, open, write_envi};

const MISSING: f32 = -9999.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, border] = arguments.as_slice() else {
        return Err("expected: FROM.img TO.img BORDER".into());
    };
    let border: usize = border.parse()?;
    let scene = open(from)?;
    let mut lines = scene.tiles::<f32>(None, AxisKind::Row, 1)?;
    let header = scene.envi_header().ok_or("not an ENVI image")?;
    let (rows, columns, bands) = (header.rows, header.columns, header.bands);
    let outer = EnviHeader {
        ignore_value: Some(f64::from(MISSING)),
        wavelengths_nm: header.wavelengths_nm.clone(),
        ..EnviHeader::new(rows + 2 * border, columns + 2 * border, bands)
    };
    write_envi(Path::new(to), &outer, |row, values: &mut [f32]| {
        values.fill(MISSING);
        if (border..border + rows).contains(&row)
            && let Some(line) = lines.next()
        {
            values[border * bands..(border + columns) * bands].copy_from_slice(line?.values());
        }
        Ok(())
    })?;
    Ok(())
}
