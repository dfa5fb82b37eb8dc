//! Queries as tables: what each pattern of four signs adds to the inner product with a row.

/// The whole number in a byte that is nearest, as the code byte of a centre or query: 128 stands for zero.
pub(crate) fn to_code(value: f32) -> u8 {
    (value + 128.5).clamp(1.0, 255.0) as u8
}

/// Fills the table of what each pattern of four signs is worth, 128 standing for zero; gives the worth of 1.
pub(crate) fn fill_table(query: &[f32], table: &mut Vec<u8>) -> f32 {
    let groups = query.as_chunks::<4>().0;
    let reach = groups.iter().map(|group| group.iter().map(|value| value.abs()).sum::<f32>()).fold(0.0_f32, f32::max);
    let unit = if reach > 0.0 { reach / 127.0 } else { 1.0 };
    table.clear();
    table.reserve(query.len() * 4);
    for group in groups {
        let mut sums = [0.0_f32; 16];
        sums[0] = -(group[0] + group[1] + group[2] + group[3]) / unit;
        for (bit, value) in group.iter().enumerate() {
            let twice = 2.0 * value / unit;
            let half = 1 << bit;
            for pattern in 0..half {
                sums[half + pattern] = sums[pattern] + twice;
            }
        }
        table.extend_from_slice(&sums.map(to_code));
    }
    unit
}
