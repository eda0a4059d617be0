"""Recipes that make data files of the product; never imported by it."""
