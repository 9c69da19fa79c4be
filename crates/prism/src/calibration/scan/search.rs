//! Positions that are whole pixels away: they lie in other valleys of the likelihood.

use super::Scan;

impl Scan {
    /// Moves each position to the one that explains its frame best, of those whole pixels away.
    pub(super) fn search(&mut self, radius: isize) {
        self.round();
        let object = self.object.clone();
        let spectrum = self.turned(&self.coefficients);
        for k in 0..self.which.len() {
            let centre = self.centres[self.which[k]];
            let seen = self.seen(k, &object, &spectrum, centre);
            let (mut best, mut least) = (centre, self.unlike(k, &seen.field));
            let own = self.whole[k];
            for place in 0..(2 * radius + 1).pow(2) {
                let by = [place / (2 * radius + 1) - radius, place % (2 * radius + 1) - radius].map(|by| by as f64);
                let trial = [centre[0] + by[0], centre[1] + by[1]];
                if by == [0.0; 2] || self.within(trial) != trial {
                    continue;
                }
                self.whole[k] = [own[0] + by[0], own[1] + by[1]];
                let field = self.behind(k, &object, &seen.probe);
                let unlike = self.unlike(k, &field);
                if unlike < least {
                    (best, least) = (trial, unlike);
                }
            }
            self.centres[self.which[k]] = best;
        }
        self.round();
    }
}
