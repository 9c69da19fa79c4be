//! [`Part`]: what one header says of the data after it.

use super::{
    columns,
    header::{BLOCK_BYTES, Cards, add_words},
    scaling::Scaling,
};
use crate::{
    element::ElementType,
    error::{Place, Result},
    file::{dataset::Class, numbers::ByteOrder, origin::Origin, raw::Layout},
};
use std::sync::atomic::AtomicBool;

/// The most axes of an image; the format allows 999, nothing here can use more than these.
pub(super) const AXES: i64 = 64;

/// A part of a file.
pub(super) struct Part {
    pub(super) data: Data,
    /// The variables in it; none where there are no data.
    pub(super) items: Vec<Item>,
    /// The header does not agree with its checksum.
    pub(super) is_stale: bool,
}

/// The data of a part.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) offset: u64,
    /// With their padding.
    pub(super) padded_bytes: u64,
    /// What their words must add up to.
    pub(super) sum: Option<u32>,
    /// They did: a table with hundreds of columns is added up once.
    pub(super) agrees: AtomicBool,
}

/// A variable.
pub(super) struct Item {
    /// Number, from 1, and name of a column.
    pub(super) column: Option<(usize, String)>,
    pub(super) shape: Vec<usize>,
    pub(super) class: Class,
    pub(super) content: Content,
}

/// Where the numbers of a variable are.
#[derive(Debug)]
pub(super) enum Content {
    Numbers {
        layout: Layout,
        scaling: Option<Scaling>,
    },
    /// Letters `[rows, width]`.
    Text(Layout),
    /// They are not read.
    Nothing,
}

impl Item {
    pub(super) fn unread(what: &str) -> Self {
        Self { column: None, shape: Vec::new(), class: Class::Other(what.into()), content: Content::Nothing }
    }

    pub(super) fn numbers(layout: Layout, scaling: Option<Scaling>) -> Self {
        let stored = layout.element;
        let element = scaling.as_ref().map_or(stored, |scaling| scaling.element(stored));
        let (shape, class) = (layout.shape.clone(), Class::Number(element));
        Self { column: None, shape, class, content: Content::Numbers { layout, scaling } }
    }
}

impl Part {
    pub(super) fn of(header: &Cards, data: u64, offset: u64, origin: &Origin) -> Result<Self> {
        let fault = |problem: String| origin.fault(Place::Byte(offset), problem);
        let integer = |keyword: &str| header.integer(keyword);
        let required = |keyword: &str| integer(keyword)?.ok_or_else(|| fault(format!("the header has no {keyword}")));
        let extension = header.text("XTENSION");
        if offset == 0 && !header.is("SIMPLE") {
            return Err(fault("SIMPLE is not T".into()));
        }
        if offset > 0 && extension.is_none() {
            return Err(origin.fault_with(
                Place::Byte(offset),
                "what follows the data is no extension",
                "the file is damaged, or something was added to it",
            ));
        }
        let stored = match required("BITPIX")? {
            8 => ElementType::U8,
            16 => ElementType::I16,
            32 => ElementType::I32,
            64 => ElementType::I64,
            -32 => ElementType::F32,
            -64 => ElementType::F64,
            other => return Err(fault(format!("BITPIX is {other}, which is no type of number"))),
        };
        let axes = required("NAXIS")?;
        if !(0..=AXES).contains(&axes) {
            return Err(fault(format!("NAXIS is {axes}, 0 to {AXES} are taken")));
        }
        let mut shape = Vec::new();
        for axis in 1..=axes {
            let length = required(&format!("NAXIS{axis}"))?;
            shape.push(usize::try_from(length).map_err(|_| fault(format!("NAXIS{axis} is {length}")))?);
        }
        let groups = shape.first() == Some(&0) && header.is("GROUPS");
        let others = |keyword: &str, default: i64| -> Result<u64> {
            let value = integer(keyword)?.unwrap_or(default);
            u64::try_from(value).map_err(|_| fault(format!("{keyword} is {value}")))
        };
        let (parameters, group_count) = (others("PCOUNT", 0)?, others("GCOUNT", 1)?);
        let lengths = if groups { &shape[1..] } else { &shape[..] };
        let numbers = if shape.is_empty() {
            Some(0)
        } else {
            lengths.iter().try_fold(1_u64, |product, &length| product.checked_mul(length as u64))
        };
        let bytes = numbers
            .and_then(|numbers| numbers.checked_add(parameters)?.checked_mul(group_count))
            .and_then(|numbers| numbers.checked_mul(stored.size_bytes() as u64))
            .and_then(|bytes| bytes.checked_next_multiple_of(BLOCK_BYTES as u64).map(|padded| (bytes, padded)));
        let Some((bytes, padded_bytes)) = bytes else {
            return Err(fault(format!("axes of {shape:?} are more than this machine can address")));
        };

        let data_sum = match header.text("DATASUM") {
            Some(text) => text.trim().parse().ok(),
            None => None,
        };
        let mut is_stale = false;
        if let (Some(sum), Some(_)) = (data_sum, header.text("CHECKSUM")) {
            // All words of a part add up to zero, which is written with all bits set.
            let total = add_words(header.sum, &u32::to_be_bytes(sum));
            is_stale = total != u32::MAX && total != 0;
        }
        let items = match extension {
            _ if bytes == 0 => Vec::new(),
            _ if groups => vec![Item::unread("random groups")],
            None | Some("IMAGE") => {
                shape.reverse();
                vec![Self::image(header, stored, shape, data)?]
            }
            Some("BINTABLE") if header.is("ZIMAGE") => vec![Item::unread("a compressed image; unpack it with funpack")],
            Some("BINTABLE") => columns::read(header, (stored, &shape), data, offset, origin)?,
            Some("TABLE") => vec![Item::unread("a table in ASCII")],
            Some(kind) => vec![Item::unread(&format!("an extension of the kind {kind}"))],
        };
        let data = Data { offset: data, padded_bytes, sum: data_sum, agrees: AtomicBool::new(false) };
        Ok(Self { data, items, is_stale })
    }

    fn image(header: &Cards, stored: ElementType, shape: Vec<usize>, data: u64) -> Result<Item> {
        let scale = header.real("BSCALE")?.unwrap_or(1.0);
        let zero = header.real("BZERO")?.unwrap_or(0.0);
        let blank = header.integer("BLANK")?;
        let axes = (0..shape.len()).collect();
        let layout = Layout { offset: data, element: stored, order: ByteOrder::Big, shape, axes, row_bytes: None };
        Ok(Item::numbers(layout, Scaling::of(stored, scale, zero, blank)))
    }
}
