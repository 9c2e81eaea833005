use crate::matrix::{cases::*, cheats::*, generate::*, honest::*, machine::*, models::Models, parallel};
use anyhow::Result;
use chasqui_primitives::trace::TraceLeaf;

fn stats(claims: &[(Case, Vec<TraceLeaf>)], auditor: &Auditor<'_>, name: &str) -> Result<()> {
    let rows = parallel::map(claims, |(case, trace)| {
        let tokens: Vec<u32> = trace.iter().map(|l| l.token).collect();
        let own = case.restated(auditor, &tokens)?;
        let mut out = Vec::new();
        for n in [1usize, 2, 4, 8, 64] {
            let mut sums = [0i64; 14];
            let (mut l1, mut most, mut sq) = (0i64, 0i64, 0i64);
            for (a, b) in trace.iter().zip(&own).take(n) {
                let mut one = 0;
                for j in 0..14 {
                    let d = i64::from(a.fingerprint[j]) - i64::from(b.fingerprint[j]);
                    sums[j] += d;
                    one += d.abs();
                    sq += d * d;
                }
                l1 += one;
                most = most.max(one);
            }
            let bias: i64 = sums.iter().map(|s| s.abs()).sum();
            let bias2: f64 = sums.iter().map(|s| (*s as f64).powi(2)).sum();
            let l1 = l1 as f64 / n as f64;
            let b = bias as f64 / (n as f64).sqrt();
            let r = bias2 / sq.max(1) as f64;
            out.push((l1, b, b / l1.max(1e-9), r, most as f64));
        }
        Ok(out)
    })?;
    for (i, n) in [1usize, 2, 4, 8, 64].iter().enumerate() {
        let q = |f: fn(&(f64, f64, f64, f64, f64)) -> f64| {
            let mut v: Vec<f64> = rows.iter().map(|r| f(&r[i])).collect();
            v.sort_by(f64::total_cmp);
            let at = |q: f64| v[((v.len() - 1) as f64 * q).round() as usize];
            format!("[{:8.2} {:8.2} {:8.2} {:8.2} {:8.2}]", at(0.0), at(0.01), at(0.5), at(0.99), at(1.0))
        };
        println!("{name:24} n={n:3} l1 {} bias {} bias/l1 {} chi {} most {}", q(|r| r.0), q(|r| r.1), q(|r| r.2), q(|r| r.3), q(|r| r.4));
    }
    Ok(())
}

pub fn run(models: &Models, cases: &Cases, rounded: &chasqui_engine::Llama, family: &Family, runs: u64) -> Result<()> {
    let f32 = Auditor { machine: &family.right, chunk: 256 };
    for pair in bf16_pairs(rounded)? {
        let groups: Vec<Vec<u64>> = (0..runs).collect::<Vec<_>>().chunks(16).map(<[u64]>::to_vec).collect();
        let made = parallel::map(&groups, |g| {
            let asked = g.iter().map(|i| cases.case(*i)).collect::<Result<Vec<_>>>()?;
            let orders: Vec<Order> = asked.iter().map(Case::order).collect();
            Ok(asked.into_iter().zip(generate(&pair.executor, &orders)?).collect::<Vec<_>>())
        })?;
        let made: Vec<_> = made.into_iter().flatten().collect();
        stats(&made, &Auditor { machine: &pair.auditor, chunk: 256 }, &pair.name)?;
    }
    let _ = models;
    for (name, machine) in family.machines() {
        let groups: Vec<Vec<u64>> = (0..runs).collect::<Vec<_>>().chunks(16).map(<[u64]>::to_vec).collect();
        let made = parallel::map(&groups, |g| {
            let asked = g.iter().map(|i| cases.case(*i)).collect::<Result<Vec<_>>>()?;
            let orders: Vec<Order> = asked.iter().map(Case::order).collect();
            Ok(asked.into_iter().zip(generate(machine, &orders)?).collect::<Vec<_>>())
        })?;
        let made: Vec<_> = made.into_iter().flatten().collect();
        stats(&made, &f32, name)?;
    }
    Ok(())
}
