//! Losses of several objectives: who dominates whom, and how much a set of points dominates.
//!
//! a dominates b if it is nowhere greater and somewhere less. The *rank* of a point is the number of fronts that have
//! to be peeled off before it is on one (Deb, Pratap, Agarwal and Meyarivan 2002, doi:10.1109/4235.996017). The
//! *hypervolume* of a set is the volume it dominates below a reference point; it is computed by adding what each point
//! adds to those before it (While, Bradstreet and Barone 2012, doi:10.1109/TEVC.2010.2077298). [`choose`] takes the
//! subset of great hypervolume greedily, which is at least 1 - 1/e of the greatest (Guerreiro, Fonseca and Paquete 2016,
//! doi:10.1162/EVCO_a_00188); contributions only shrink as the subset grows, so an old one is a bound for the new one
//! (Minoux 1978, doi:10.1007/BFb0006528).

/// Whether `a` is nowhere greater and somewhere less.
pub(crate) fn dominates(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b) && a.iter().zip(b).any(|(a, b)| a < b)
}

/// The rank of each point, 0 for the Pareto front; equal points have equal ranks.
pub(crate) fn ranks(losses: &[Vec<f64>]) -> Vec<usize> {
    // In lexicographic order nobody is dominated by those behind, so one pass finds the front of each point.
    let mut order: Vec<usize> = (0..losses.len()).collect();
    order.sort_by(|&a, &b| {
        let different = losses[a].iter().zip(&losses[b]).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
        different.unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut fronts: Vec<Vec<usize>> = Vec::new();
    let mut ranks = vec![0; losses.len()];
    for i in order {
        let rank = fronts.iter().position(|front| !front.iter().any(|&other| dominates(&losses[other], &losses[i])));
        let rank = rank.unwrap_or(fronts.len());
        if rank == fronts.len() {
            fronts.push(Vec::new());
        }
        fronts[rank].push(i);
        ranks[i] = rank;
    }
    ranks
}

/// The volume dominated by the points and not beyond the reference point.
pub(crate) fn hypervolume(points: &[Vec<f64>], reference: &[f64]) -> f64 {
    let mut front: Vec<Vec<f64>> = Vec::new();
    for point in points {
        if point.iter().zip(reference).all(|(x, r)| x < r)
            && !front.iter().any(|other| dominates(other, point) || other == point)
        {
            front.retain(|other| !dominates(point, other));
            front.push(point.clone());
        }
    }
    match reference.len() {
        0 => 0.0,
        1 => front.iter().map(|point| reference[0] - point[0]).fold(0.0, f64::max),
        2 => {
            front.sort_by(|a, b| a[0].total_cmp(&b[0]));
            let mut above = reference[1];
            let mut area = 0.0;
            for point in &front {
                area += (reference[0] - point[0]) * (above - point[1]);
                above = point[1];
            }
            area
        }
        _ => (0..front.len()).map(|i| contribution(&front[i], &front[i + 1..], reference)).sum(),
    }
}

/// What `point` adds to the hypervolume of `others`.
fn contribution(point: &[f64], others: &[Vec<f64>], reference: &[f64]) -> f64 {
    if point.iter().zip(reference).any(|(x, r)| x >= r) {
        return 0.0;
    }
    let own: f64 = point.iter().zip(reference).map(|(x, r)| r - x).product();
    let shared: Vec<Vec<f64>> =
        others.iter().map(|other| other.iter().zip(point).map(|(a, b)| a.max(*b)).collect()).collect();
    own - hypervolume(&shared, reference)
}

/// Indices of `count` points that together dominate much, the best first.
pub(crate) fn choose(points: &[Vec<f64>], count: usize) -> Vec<usize> {
    let count = count.min(points.len());
    let reference = reference(points);
    let mut bounds: Vec<f64> = points.iter().map(|point| contribution(point, &[], &reference)).collect();
    let mut chosen: Vec<usize> = Vec::with_capacity(count);
    let mut subset: Vec<Vec<f64>> = Vec::with_capacity(count);
    while chosen.len() < count {
        let mut left: Vec<usize> = (0..points.len()).filter(|i| !chosen.contains(i)).collect();
        left.sort_by(|&a, &b| bounds[b].total_cmp(&bounds[a]).then(a.cmp(&b)));
        let mut best: Option<usize> = None;
        for &i in &left {
            if best.is_some_and(|best| bounds[best] >= bounds[i]) {
                break;
            }
            bounds[i] = contribution(&points[i], &subset, &reference);
            if best.is_none_or(|best| bounds[i] > bounds[best]) {
                best = Some(i);
            }
        }
        let Some(best) = best.or(left.first().copied()) else { break };
        chosen.push(best);
        subset.push(points[best].clone());
    }
    chosen
}

/// A point a little worse than the worst in every objective (Ozaki et al. 2022, doi:10.1613/jair.1.13188).
fn reference(points: &[Vec<f64>]) -> Vec<f64> {
    let objectives = points.first().map_or(0, Vec::len);
    (0..objectives)
        .map(|i| {
            let worst = points.iter().map(|point| point[i]).filter(|x| x.is_finite()).fold(f64::NEG_INFINITY, f64::max);
            let beyond = (1.1 * worst).max(0.9 * worst);
            if !beyond.is_finite() {
                1.0
            } else if beyond == 0.0 {
                1e-12
            } else {
                beyond
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_data::Stream;

    fn random(n: usize, objectives: usize, seed: u64) -> Vec<Vec<f64>> {
        let mut numbers = vec![0.0; n * objectives];
        Stream::new(seed, "points").fill_uniform(&mut numbers);
        numbers.chunks(objectives).map(|point| point.iter().map(|&x| f64::from(x)).collect()).collect()
    }

    #[test]
    fn ranks_are_the_number_of_fronts_in_front() {
        let points = [[1.0, 4.0], [2.0, 2.0], [4.0, 1.0], [2.0, 3.0], [4.0, 4.0], [2.0, 2.0]].map(Vec::from);
        assert_eq!(ranks(&points), [0, 0, 0, 1, 2, 0]);
        let points = random(60, 3, 1);
        let ranks = ranks(&points);
        for (point, &rank) in points.iter().zip(&ranks) {
            let above =
                points.iter().zip(&ranks).filter(|(other, _)| dominates(other, point)).map(|(_, rank)| rank + 1);
            assert_eq!(above.max().unwrap_or(0), rank);
        }
    }

    #[test]
    fn hypervolumes_by_hand_and_by_counting() {
        let points = [[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [3.0, 3.0]].map(Vec::from);
        assert_eq!(hypervolume(&points, &[4.0, 4.0]), 6.0);
        assert_eq!(hypervolume(&[vec![5.0, 0.0]], &[4.0, 4.0]), 0.0);
        let cubes = [vec![0.0, 1.0, 1.0], vec![1.0, 0.0, 1.0], vec![1.0, 1.0, 0.0]];
        assert_eq!(hypervolume(&cubes, &[2.0; 3]), 4.0);
        // A grid of 20^3 cells, each inside if its worst corner is dominated.
        let points: Vec<Vec<f64>> =
            random(12, 3, 2).iter().map(|point| point.iter().map(|x| (x * 20.0).floor()).collect()).collect();
        let mut cells = 0;
        for i in 0..8000 {
            let cell = [i / 400, i / 20 % 20, i % 20].map(f64::from);
            cells += usize::from(points.iter().any(|point| point.iter().zip(&cell).all(|(p, c)| p <= c)));
        }
        assert!((hypervolume(&points, &[20.0; 3]) - cells as f64).abs() < 1e-6);
    }

    #[test]
    fn the_lazy_choice_is_the_greedy_one() {
        let points = random(40, 3, 3);
        let reference = reference(&points);
        let mut greedy: Vec<usize> = Vec::new();
        for _ in 0..8 {
            let volume = |i: usize| {
                let set: Vec<Vec<f64>> = greedy.iter().chain([&i]).map(|&i| points[i].clone()).collect();
                hypervolume(&set, &reference)
            };
            let best =
                (0..points.len()).filter(|i| !greedy.contains(i)).max_by(|&a, &b| volume(a).total_cmp(&volume(b)));
            greedy.push(best.unwrap());
        }
        assert_eq!(choose(&points, 8), greedy);
        assert_eq!(choose(&points, 50).len(), 40);
    }
}
