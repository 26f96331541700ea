//! What was measured, and how it is shown: a table for people, flat JSON with one key per line for scripts.

use std::fmt::Write;
use std::time::Duration;

use super::Profile;
use super::idle::Crowd;

/// Bodies of failed requests that are shown; one is often a typing error, three show a pattern.
const SAMPLES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    CheckOut,
    CheckIn,
    Renew,
    Search,
    View,
    CheckOutHistory,
    CheckOutFresh,
    CheckInHistory,
    CheckInFresh,
    CheckOutCrowded,
    CheckInCrowded,
    CheckOutCredit,
    CheckInCredit,
    CheckOutNoCredit,
    CheckInNoCredit,
    GateCheck,
}

impl Op {
    const ALL: [Self; 16] = [
        Self::CheckOut,
        Self::CheckIn,
        Self::Renew,
        Self::Search,
        Self::View,
        Self::CheckOutHistory,
        Self::CheckOutFresh,
        Self::CheckInHistory,
        Self::CheckInFresh,
        Self::CheckOutCrowded,
        Self::CheckInCrowded,
        Self::CheckOutCredit,
        Self::CheckInCredit,
        Self::CheckOutNoCredit,
        Self::CheckInNoCredit,
        Self::GateCheck,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::CheckOut => "check_out",
            Self::CheckIn => "check_in",
            Self::Renew => "renew",
            Self::Search => "search",
            Self::View => "view",
            Self::CheckOutHistory => "check_out_history",
            Self::CheckOutFresh => "check_out_fresh",
            Self::CheckInHistory => "check_in_history",
            Self::CheckInFresh => "check_in_fresh",
            Self::CheckOutCrowded => "check_out_crowded",
            Self::CheckInCrowded => "check_in_crowded",
            Self::CheckOutCredit => "check_out_credit",
            Self::CheckInCredit => "check_in_credit",
            Self::CheckOutNoCredit => "check_out_no_credit",
            Self::CheckInNoCredit => "check_in_no_credit",
            Self::GateCheck => "gate_check",
        }
    }
}

#[derive(Debug, Default, Clone)]
struct Series {
    /// Every answer's time: exact percentiles, at four bytes an answer.
    micros: Vec<u32>,
    refused: u64,
    errors: u64,
}

/// The counts of one client, or of all.
#[derive(Debug, Default)]
pub(super) struct Tally {
    series: [Series; Op::ALL.len()],
    samples: Vec<String>,
    /// Visits of the model that found no item or no reader free: load that was not made.
    skipped: u64,
}

impl Tally {
    pub fn answered(&mut self, op: Op, took: Duration) {
        self.series[op as usize]
            .micros
            .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub fn refused(&mut self, op: Op) {
        self.series[op as usize].refused += 1;
    }

    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Also during the warm-up: a failure is never waste heat.
    pub fn failed(&mut self, op: Op, what: impl FnOnce() -> String) {
        self.series[op as usize].errors += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(format!("{}: {}", op.name(), what()));
        }
    }

    pub fn absorb(&mut self, other: Self) {
        for (mine, theirs) in self.series.iter_mut().zip(other.series) {
            mine.micros.extend(theirs.micros);
            mine.refused += theirs.refused;
            mine.errors += theirs.errors;
        }
        self.skipped += other.skipped;
        self.samples.extend(other.samples);
        self.samples.truncate(SAMPLES);
    }

    pub fn errors(&self) -> u64 {
        self.series.iter().map(|series| series.errors).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.micros.is_empty())
    }

    fn figures(&self, op: Op) -> Option<Figures> {
        let Series {
            micros,
            refused,
            errors,
        } = &self.series[op as usize];
        if micros.is_empty() && *refused == 0 && *errors == 0 {
            return None;
        }
        let mut sorted = micros.clone();
        sorted.sort_unstable();
        let sum: f64 = sorted.iter().copied().map(f64::from).sum();
        let mean_ms = if sorted.is_empty() {
            0.0
        } else {
            sum / sorted.len() as f64 / 1000.0
        };
        Some(Figures {
            count: sorted.len(),
            refused: *refused,
            errors: *errors,
            mean_ms,
            sorted,
        })
    }
}

struct Figures {
    count: usize,
    refused: u64,
    errors: u64,
    mean_ms: f64,
    sorted: Vec<u32>,
}

impl Figures {
    /// The smallest time that `percent` of the answers did not exceed (nearest rank).
    fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted
            .get(rank - 1)
            .map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }
}

pub(super) struct Report {
    pub profile: Profile,
    pub clients: usize,
    pub seconds: u64,
    pub multiple: f64,
    pub tally: Tally,
    pub crowd: Option<Crowd>,
}

impl Report {
    fn figures(&self) -> impl Iterator<Item = (Op, Figures)> {
        Op::ALL.into_iter().filter_map(|op| Some((op, self.tally.figures(op)?)))
    }

    fn per_s(&self, count: usize) -> f64 {
        count as f64 / self.seconds as f64
    }

    /// One over another, of medians and of means.
    fn ratios(&self, one: Op, other: Op) -> Option<(f64, f64)> {
        let (one, other) = (self.tally.figures(one)?, self.tally.figures(other)?);
        if one.count == 0 || other.count == 0 {
            return None;
        }
        let medians = one.percentile_ms(50) / other.percentile_ms(50);
        Some((medians, one.mean_ms / other.mean_ms))
    }

    fn history_ratios(&self) -> Option<(f64, f64)> {
        self.ratios(Op::CheckOutHistory, Op::CheckOutFresh)
    }

    fn credit_ratios(&self) -> Option<(f64, f64)> {
        self.ratios(Op::CheckOutCredit, Op::CheckOutNoCredit)
    }

    pub fn table(&self) -> String {
        let mut out = format!(
            "{:<18} {:>9} {:>8} {:>8} {:>10} {:>9} {:>9} {:>9} {:>9}\n",
            "op", "count", "refused", "errors", "per s", "p50 ms", "p95 ms", "p99 ms", "max ms"
        );
        for (op, figures) in self.figures() {
            let [p50, p95, p99, max] = [50, 95, 99, 100].map(|percent| figures.percentile_ms(percent));
            let Figures {
                count, refused, errors, ..
            } = figures;
            let per_s = self.per_s(count);
            let _ = writeln!(
                out,
                "{:<18} {count:>9} {refused:>8} {errors:>8} {per_s:>10.1} {p50:>9.3} {p95:>9.3} {p99:>9.3} {max:>9.3}",
                op.name()
            );
        }
        if let Some((medians, means)) = self.history_ratios() {
            let _ = writeln!(out, "history over fresh: {medians:.3} of medians, {means:.3} of means");
        }
        if let Some((medians, means)) = self.credit_ratios() {
            let _ = writeln!(
                out,
                "with credit rules over without: {medians:.3} of medians, {means:.3} of means"
            );
        }
        if let Some(Crowd {
            idle,
            slow,
            open,
            reopened,
        }) = self.crowd
        {
            let _ = writeln!(
                out,
                "crowd: {idle} idle and {slow} slow connections, {open} open at the end, {reopened} turned out and come again"
            );
        }
        if self.tally.skipped > 0 {
            let skipped = self.tally.skipped;
            let _ = writeln!(
                out,
                "{skipped} visits found no item or no reader free: the load was less than asked for"
            );
        }
        for sample in &self.tally.samples {
            let _ = writeln!(out, "failed: {sample}");
        }
        out
    }

    pub fn json(&self) -> String {
        let mut lines = vec![
            format!("\"profile\": \"{:?}\"", self.profile).to_lowercase(),
            format!("\"clients\": {}", self.clients),
            format!("\"seconds\": {}", self.seconds),
        ];
        if matches!(self.profile, Profile::Model | Profile::Gates) {
            lines.push(format!("\"multiple\": {}", self.multiple));
            lines.push(format!("\"visits_skipped\": {}", self.tally.skipped));
        }
        if let Some(crowd) = self.crowd {
            lines.push(format!("\"crowd_idle\": {}", crowd.idle));
            lines.push(format!("\"crowd_slow\": {}", crowd.slow));
            lines.push(format!("\"crowd_open\": {}", crowd.open));
            lines.push(format!("\"crowd_reopened\": {}", crowd.reopened));
        }
        let count: usize = self.figures().map(|(_, figures)| figures.count).sum();
        lines.push(format!("\"count\": {count}"));
        lines.push(format!("\"errors\": {}", self.tally.errors()));
        lines.push(format!("\"throughput_per_s\": {:.1}", self.per_s(count)));
        for (op, figures) in self.figures() {
            let name = op.name();
            lines.push(format!("\"{name}_count\": {}", figures.count));
            lines.push(format!("\"{name}_refused\": {}", figures.refused));
            lines.push(format!("\"{name}_errors\": {}", figures.errors));
            lines.push(format!("\"{name}_per_s\": {:.1}", self.per_s(figures.count)));
            lines.push(format!("\"{name}_mean_ms\": {:.3}", figures.mean_ms));
            for (label, percent) in [("p50", 50), ("p95", 95), ("p99", 99), ("max", 100)] {
                lines.push(format!("\"{name}_{label}_ms\": {:.3}", figures.percentile_ms(percent)));
            }
        }
        if let Some((medians, means)) = self.history_ratios() {
            lines.push(format!("\"history_ratio_median\": {medians:.3}"));
            lines.push(format!("\"history_ratio_mean\": {means:.3}"));
        }
        if let Some((medians, means)) = self.credit_ratios() {
            lines.push(format!("\"credit_ratio_median\": {medians:.3}"));
            lines.push(format!("\"credit_ratio_mean\": {means:.3}"));
        }
        format!("{{\n  {}\n}}", lines.join(",\n  "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(profile: Profile, tally: Tally) -> Report {
        Report {
            profile,
            clients: 2,
            seconds: 10,
            multiple: 1.0,
            tally,
            crowd: None,
        }
    }

    fn tally(op: Op, millis: impl IntoIterator<Item = u64>) -> Tally {
        let mut tally = Tally::default();
        for ms in millis {
            tally.answered(op, Duration::from_millis(ms));
        }
        tally
    }

    #[test]
    fn percentiles_are_of_nearest_rank() {
        let figures = tally(Op::CheckOut, (1..=200).rev())
            .figures(Op::CheckOut)
            .expect("measured");
        let got = [50, 95, 99, 100].map(|percent| figures.percentile_ms(percent));
        assert_eq!(got, [100.0, 190.0, 198.0, 200.0]);
        assert_eq!(figures.mean_ms, 100.5);
        let one = tally(Op::CheckOut, [7]).figures(Op::CheckOut).expect("measured");
        assert_eq!([1, 50, 100].map(|percent| one.percentile_ms(percent)), [7.0; 3]);
    }

    #[test]
    fn the_json_is_flat_with_a_key_per_line() {
        let mut all = tally(Op::CheckOut, [1, 2, 3]);
        all.absorb(tally(Op::CheckIn, [4]));
        all.failed(Op::CheckIn, || "503 busy".into());
        let report = report(Profile::Mix, all);
        let json = report.json();
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["profile"], "mix");
        assert_eq!(value["count"], 4);
        assert_eq!(value["errors"], 1);
        assert_eq!(value["throughput_per_s"], 0.4);
        assert_eq!(value["check_out_p95_ms"], 3.0);
        assert_eq!(json.lines().count(), value.as_object().expect("flat").len() + 2);
        assert!(report.table().contains("failed: check_in: 503 busy"));
    }

    #[test]
    fn history_is_told_as_a_ratio() {
        let mut both = tally(Op::CheckOutHistory, [2, 3, 10]);
        both.absorb(tally(Op::CheckOutFresh, [2, 2, 2]));
        let report = report(Profile::History, both);
        assert!(report.json().contains("\"history_ratio_median\": 1.500"));
        assert!(report.json().contains("\"history_ratio_mean\": 2.500"));
    }

    #[test]
    fn only_three_failures_are_shown() {
        let mut all = Tally::default();
        for number in 0..5 {
            let mut one = Tally::default();
            one.failed(Op::Search, || number.to_string());
            all.absorb(one);
        }
        assert_eq!((all.errors(), all.samples.len()), (5, 3));
        assert!(all.is_empty());
    }
}
