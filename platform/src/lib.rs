//! The outside world behind one door each, and a simulated twin of every door.
