//! At which values of its components a benchmark runs.

use frame_benchmarking::BenchmarkParameter;

/// Values of all components of a benchmark.
pub type Point = Vec<(BenchmarkParameter, u32)>;

/// Each component at up to `steps` values from its lowest to its highest, the others at their highest. One empty point
/// where there are no components. `steps` is at least 2.
pub fn points(components: &[(BenchmarkParameter, u32, u32)], steps: u32) -> Vec<Point> {
    if components.is_empty() {
        return vec![Vec::new()];
    }
    let highest: Point = components
        .iter()
        .map(|(name, _, high)| (*name, *high))
        .collect();
    let last = u64::from(steps.max(2)) - 1;
    let mut points = Vec::new();
    for (position, (name, low, high)) in components.iter().enumerate() {
        let range = u64::from(high.saturating_sub(*low));
        let mut values: Vec<u32> = (0..=last)
            .map(|step| low.saturating_add((range * step / last) as u32))
            .collect();
        values.dedup();
        for value in values {
            let mut point = highest.clone();
            point[position] = (*name, value);
            points.push(point);
        }
    }
    points
}
