//! Optimal one-to-one assignment.
//!
//! The shortest augmenting path form of the Hungarian method: H. W. Kuhn, Naval Research Logistics Quarterly 2, 83
//! (1955); R. Jonker, A. Volgenant, Computing 38, 325 (1987).

/// Assigns every row of the `rows x columns` cost matrix to its own column at the least total cost.
///
/// Returns the column of each row. It takes `rows^2 columns` steps.
///
/// # Panics
/// If there are more rows than columns, or `cost` has another length than their product.
pub fn assign(cost: &[f64], rows: usize, columns: usize) -> Vec<usize> {
    assert!(rows <= columns, "{rows} rows cannot each have their own of {columns} columns");
    assert_eq!(cost.len(), rows * columns, "a {rows} x {columns} cost matrix");
    const FREE: usize = usize::MAX;
    let (mut row_price, mut column_price) = (vec![0.0; rows], vec![0.0; columns]);
    let mut row_of = vec![FREE; columns];
    for start in 0..rows {
        let mut distance = vec![f64::INFINITY; columns];
        let mut previous = vec![FREE; columns];
        let mut done = vec![false; columns];
        let (mut row, mut last) = (start, FREE);
        let end = loop {
            let base = if last == FREE { 0.0 } else { distance[last] };
            for column in (0..columns).filter(|&c| !done[c]) {
                let through = base + cost[row * columns + column] - row_price[row] - column_price[column];
                if through < distance[column] {
                    (distance[column], previous[column]) = (through, last);
                }
            }
            let nearest = (0..columns)
                .filter(|&c| !done[c])
                .min_by(|&a, &b| distance[a].total_cmp(&distance[b]))
                .unwrap_or_else(|| unreachable!("a free column is left for every row"));
            done[nearest] = true;
            last = nearest;
            if row_of[nearest] == FREE {
                break nearest;
            }
            row = row_of[nearest];
        };
        let reach = distance[end];
        row_price[start] += reach;
        for column in (0..columns).filter(|&c| done[c] && c != end) {
            column_price[column] += distance[column] - reach;
            row_price[row_of[column]] += reach - distance[column];
        }
        let mut column = end;
        while previous[column] != FREE {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
        row_of[column] = start;
    }
    let mut column_of = vec![0; rows];
    row_of.iter().enumerate().filter(|(_, row)| **row != FREE).for_each(|(column, &row)| column_of[row] = column);
    column_of
}

#[cfg(test)]
mod tests {
    use cupel_data::Stream;

    use super::*;

    fn cheapest(cost: &[f64], rows: usize, columns: usize, row: usize, used: &mut Vec<bool>) -> f64 {
        if row == rows {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for column in 0..columns {
            if !used[column] {
                used[column] = true;
                best = best.min(cost[row * columns + column] + cheapest(cost, rows, columns, row + 1, used));
                used[column] = false;
            }
        }
        best
    }

    #[test]
    fn equals_the_best_of_all_permutations() {
        for seed in 0..200 {
            let (rows, columns) = (1 + seed as usize % 5, 1 + seed as usize % 5 + seed as usize % 3);
            let mut cost = vec![0.0; rows * columns];
            Stream::new(seed, "assignment test").fill_normal_f64(&mut cost);
            let assigned = assign(&cost, rows, columns);
            let mut seen = vec![false; columns];
            assigned.iter().for_each(|&c| assert!(!std::mem::replace(&mut seen[c], true), "{assigned:?}"));
            let total: f64 = assigned.iter().enumerate().map(|(r, &c)| cost[r * columns + c]).sum();
            let expected = cheapest(&cost, rows, columns, 0, &mut vec![false; columns]);
            assert!((total - expected).abs() < 1e-9, "seed {seed}: {total} {expected}");
        }
    }
}
