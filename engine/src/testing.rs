//! Reads tables of the format documents, so that tests can hold them against the constants.

/// Gives the cells of every table row of a document.
pub fn table_rows(document: &str) -> Vec<Vec<String>> {
    let rows = document.lines().filter(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()).collect()
}

/// Gives the second cell of the row whose first cell is `first`.
pub fn cell(rows: &[Vec<String>], first: &str) -> Option<String> {
    rows.iter().find(|row| row[0] == first).map(|row| row[1].clone())
}

/// Gives the length of the layout whose table begins with the heading `heading`, if its fields follow each other without a gap.
pub fn layout_len(rows: &[Vec<String>], heading: &str) -> Option<usize> {
    let start = rows.iter().position(|row| row[0] == heading)? + 2;
    let mut end = 0;
    for row in &rows[start..] {
        let (Ok(offset), Ok(len)) = (row[0].parse::<usize>(), row[1].parse::<usize>()) else { break };
        if offset != end {
            return None;
        }
        end += len;
    }
    Some(end)
}
