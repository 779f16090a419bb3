"""Photos, sketches and a data set drawn by code, so that every command of the README can be tried at once.

They are dedicated to the public domain (CC0 1.0).
"""
