"""The papers' tables: rows, claims, the plan, the results and their page."""
