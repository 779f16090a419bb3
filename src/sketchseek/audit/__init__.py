"""What is wrong with a set of sketches and photos: findings, lists for training to leave out, a page with pictures."""
