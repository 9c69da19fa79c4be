//! Moving the values of an array into another order of its axes, at the speed of the memory.
//!
//! Axes that stay neighbours are merged first, so that a cube with its bands moved from first to last is a matrix
//! transpose. The copy then goes in square tiles, whose rows and columns stay in the cache until they are used up.

use rayon::prelude::*;

/// Side of the square tiles of a transpose: 32 rows and columns of the widest type (16 bytes) stay in a 32 KiB cache.
const TILE: usize = 32;

/// The row-major `values` of an array of this shape, with its axes in the new `order`.
pub(crate) fn transpose<T: Copy + Send + Sync>(values: &[T], shape: &[usize], order: &[usize]) -> Vec<T> {
    let Some(&any) = values.first() else {
        return Vec::new();
    };
    let out = runs(shape, order);
    let mut result = vec![any; values.len()];
    let slab: usize = out[1..].iter().map(|run| run.len).product();
    result.par_chunks_mut(TILE * slab).enumerate().for_each(|(chunk, result)| {
        let mut part = out.clone();
        part[0].len = result.len() / slab;
        gather(&values[chunk * TILE * out[0].stride..], &part, result);
    });
    result
}

/// One axis of the result of a transpose: its length and the distance of its positions in the source.
#[derive(Clone, Copy, Debug)]
struct Run {
    len: usize,
    stride: usize,
}

/// The axes of the result, those of length 1 dropped and those that stay neighbours merged into one; at least one.
fn runs(shape: &[usize], order: &[usize]) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::with_capacity(order.len());
    for &axis in order.iter().filter(|&&axis| shape[axis] > 1) {
        let run = Run { len: shape[axis], stride: shape[axis + 1..].iter().product() };
        match out.last_mut() {
            Some(last) if last.stride == run.len * run.stride => {
                *last = Run { len: last.len * run.len, stride: run.stride };
            }
            _ => out.push(run),
        }
    }
    if out.is_empty() {
        out.push(Run { len: 1, stride: 1 });
    }
    out
}

/// Copies the source positions that `out` describes into `result`, in tiles that read and write whole cache lines.
fn gather<T: Copy>(source: &[T], out: &[Run], result: &mut [T]) {
    let last = out.len() - 1;
    let Run { len: width, stride: across } = out[last];
    let distances: Vec<usize> =
        (0..out.len()).map(|axis| out[axis + 1..].iter().map(|run| run.len).product()).collect();
    // The axis along which the source is contiguous; where the result is too, rows are copied whole.
    let near = if across == 1 { None } else { out.iter().position(|run| run.stride == 1) };
    let outer: Vec<usize> = (0..last).filter(|&axis| Some(axis) != near).collect();
    let mut index = vec![0; outer.len()];
    loop {
        let from: usize = outer.iter().zip(&index).map(|(&axis, i)| i * out[axis].stride).sum();
        let to: usize = outer.iter().zip(&index).map(|(&axis, i)| i * distances[axis]).sum();
        match near {
            None if across == 1 => result[to..to + width].copy_from_slice(&source[from..from + width]),
            None => (0..width).for_each(|j| result[to + j] = source[from + j * across]),
            Some(axis) => {
                let (height, down) = (out[axis].len, distances[axis]);
                for i0 in (0..height).step_by(TILE) {
                    for j0 in (0..width).step_by(TILE) {
                        for i in i0..height.min(i0 + TILE) {
                            for j in j0..width.min(j0 + TILE) {
                                result[to + i * down + j] = source[from + i + j * across];
                            }
                        }
                    }
                }
            }
        }
        let Some(next) = (0..outer.len()).rev().find(|&k| index[k] + 1 < out[outer[k]].len) else {
            return;
        };
        index[next] += 1;
        index[next + 1..].fill(0);
    }
}
