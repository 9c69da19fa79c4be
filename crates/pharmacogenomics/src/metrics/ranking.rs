//! Measures of an order: the area under the receiver operating characteristic, and average precision.

/// The probability that a positive scores above a negative, ties counting half (Mann and Whitney 1947,
/// doi:10.1214/aoms/1177730491); `None` without positives or negatives.
///
/// # Example
/// ```
/// use cupel_pharmacogenomics::metrics::auroc;
/// assert_eq!(auroc(&[0.1, 0.4, 0.4, 0.8], &[false, false, true, true]), Some(0.875));
/// assert_eq!(auroc(&[0.1], &[true]), None);
/// ```
pub fn auroc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let positives = positive.iter().filter(|positive| **positive).count() as f64;
    let negatives = positive.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let order = ascending(scores);
    let (mut rank_sum, mut start) = (0.0, 0);
    while start < order.len() {
        let end = tie_end(scores, &order, start);
        // ranks start + 1 ..= end share their mean
        let rank = (start + 1 + end) as f64 / 2.0;
        let tied = order[start..end].iter().filter(|row| positive[**row]).count();
        rank_sum += rank * tied as f64;
        start = end;
    }
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// The sum of precisions weighted by the gains in recall, tied scores taken together; `None` without positives.
///
/// # Example
/// ```
/// use cupel_pharmacogenomics::metrics::average_precision;
/// assert_eq!(average_precision(&[0.8, 0.6, 0.4], &[true, false, true]), Some(0.5 + 0.5 * 2.0 / 3.0));
/// ```
pub fn average_precision(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let positives = positive.iter().filter(|positive| **positive).count() as f64;
    if positives == 0.0 {
        return None;
    }
    let mut order = ascending(scores);
    order.reverse();
    let (mut hits, mut sum, mut start) = (0.0, 0.0, 0);
    while start < order.len() {
        let end = tie_end(scores, &order, start);
        let gained = order[start..end].iter().filter(|row| positive[**row]).count() as f64;
        hits += gained;
        sum += gained / positives * hits / end as f64;
        start = end;
    }
    Some(sum)
}

fn ascending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    order
}

/// One beyond the last of the scores that equal that at `start`.
fn tie_end(scores: &[f64], order: &[usize], start: usize) -> usize {
    let mut end = start + 1;
    while end < order.len() && scores[order[end]] == scores[order[start]] {
        end += 1;
    }
    end
}
