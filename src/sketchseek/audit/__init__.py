"""What is wrong with a set of drawings and photos: findings, lists for training to leave out, a page with pictures."""
