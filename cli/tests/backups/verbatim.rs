//! The product's commands, word for word, under two shells, on 5,000 real points.

use crate::place::{Place, Ran};

const FULL_BACKUP: &str = "vectra-cli collections backup products --destination /mnt/backups/vectra/products_full_20231027 \
                           --snapshot-id products_20231027_1000 --wait";
const DAILY_BACKUP: &str = "vectra-cli collections backup products --destination /mnt/backups/vectra/products_daily_$(date +%Y%m%d) \
                            --snapshot-id products_daily_$(date +%Y%m%d) --wait";
const VERIFY: &str = "vectra-cli collections backup verify --source /mnt/backups/vectra/products_full_20231027";
const DROP: &str = "vectra-cli collections drop products";
const MISTYPED_RESTORE: &str = "vectra-cli collections restore products --source /mnt/backups/backups/vectra/products_full_20231027 --wait";
const RESTORE: &str = "vectra-cli collections restore products --source /mnt/backups/vectra/products_full_20231027 --wait";
const LIST: &str = "vectra-cli collections list";
const COUNT: &str = "vectra-cli collections count products";
const RESTORE_TEST: &str = r#"BACKUP_PATH="/mnt/backups/vectra/products_full_20231027"
RESTORE_TARGET="products_restored_test"
echo "Attempting to restore from ${BACKUP_PATH} to ${RESTORE_TARGET}..."
vectra-cli collections restore products \
  --source ${BACKUP_PATH} \
  --new-collection-name ${RESTORE_TARGET} \
  --wait
if [ $? -eq 0 ]; then
  echo "Restore to ${RESTORE_TARGET} successful."
  COUNT=$(vectra-cli collections count ${RESTORE_TARGET} 2>/dev/null)
  if [ -n "$COUNT" ]; then
    echo "Restored collection ${RESTORE_TARGET} has ${COUNT} items."
    # Clean up the test restore
    vectra-cli collections drop ${RESTORE_TARGET}
  else
    echo "Error: Could not get count from ${RESTORE_TARGET}."
  fi
else
  echo "Error: Restore from ${BACKUP_PATH} failed."
fi
"#;

#[test]
fn the_commands_of_the_product_work_word_for_word_under_sh_and_bash() {
    let place = Place::new();
    place.import_real_points();
    for shell in ["sh", "bash"] {
        let run = |script: &str| place.script(shell, script);
        back_up_and_verify(&place, &run);
        assert_eq!(run(LIST).exits(0).out, "products (contains vectors and metadata)\n");
        assert_eq!(run(COUNT).exits(0).out, "5000\n");
        lose_and_restore(&place, &run);
        restore_test(&run);
        place.world.fs.remove_dir_all(&place.root.join("mnt/backups")).unwrap();
        restore_test_without_a_backup(&run);
    }
}

fn back_up_and_verify(place: &Place, run: &dyn Fn(&str) -> Ran) {
    let made = run(FULL_BACKUP).exits(0);
    for word in ["products_20231027_1000", "full", "5,000", "position", "duration"] {
        assert!(made.out.contains(word), "{word}: {}", made.out);
    }
    assert!(made.err.contains("same device"), "{}", made.err);
    assert!(!made.err.contains("no server"), "{}", made.err);
    let files = place.files("mnt/backups");
    assert!(run(FULL_BACKUP).exits(4).err.contains("products_20231027_1000"));
    assert_eq!(place.files("mnt/backups"), files, "a second run of the same id changes nothing");
    let verified = run(VERIFY).exits(0);
    for word in ["complete and unharmed", "5,000", "384 dimensions, cosine, f32, hnsw", "graph", "blake3", "chain"] {
        assert!(verified.out.contains(word), "{word}: {}", verified.out);
    }
    // Midnight may pass between the two: then both are first runs.
    run(DAILY_BACKUP).exits(0);
    let again = run(DAILY_BACKUP);
    assert!(matches!(again.code, Some(0 | 4)), "{}", again.err);
    run("vectra-cli collections backup verify --source /mnt/backups/vectra/products_daily_$(date +%Y%m%d)").exits(0);
}

fn lose_and_restore(place: &Place, run: &dyn Fn(&str) -> Ran) {
    let files = place.files("mnt/backups");
    let dropped = run(DROP).exits(0);
    assert_eq!(dropped.out, "");
    assert!(dropped.err.contains("undrop"), "{}", dropped.err);
    assert_eq!(run(COUNT).exits(3).out, "");
    let mistyped = run(MISTYPED_RESTORE).exits(3);
    assert_eq!(mistyped.out, "");
    let (first_missing, meant) = (place.path("mnt/backups/backups"), place.path("mnt/backups/vectra/products_full_20231027"));
    assert!(mistyped.err.contains(&format!("\"{first_missing}\" does not exist")), "{}", mistyped.err);
    assert!(mistyped.err.contains(&format!("did you mean \"{meant}\"")), "{}", mistyped.err);
    assert_eq!(run(LIST).exits(0).out, "");
    let restored = run(RESTORE).exits(0);
    for word in ["products_20231027_1000", "5,000", "position", "kept", "duration"] {
        assert!(restored.out.contains(word), "{word}: {}", restored.out);
    }
    assert_eq!(run(LIST).exits(0).out, "products (contains vectors and metadata)\n");
    assert_eq!(run(COUNT).exits(0).out, "5000\n");
    assert!(run(RESTORE).exits(4).err.contains("exists"));
    assert_eq!(place.files("mnt/backups"), files, "a drop and restores leave the backups as they are");
}

fn restore_test(run: &dyn Fn(&str) -> Ran) {
    let ran = run(RESTORE_TEST).exits(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("Attempting to restore from ") && lines[0].ends_with(" to products_restored_test..."), "{}", ran.out);
    let last_two = ["Restore to products_restored_test successful.", "Restored collection products_restored_test has 5000 items."];
    assert!(lines.ends_with(&last_two), "{}", ran.out);
    assert_eq!(run(LIST).exits(0).out, "products (contains vectors and metadata)\n", "the test cleans up, and leaves the live collection");
}

fn restore_test_without_a_backup(run: &dyn Fn(&str) -> Ran) {
    let ran = run(RESTORE_TEST);
    assert!(ran.out.lines().last().unwrap_or_default().starts_with("Error: Restore from "), "{}", ran.out);
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
}
