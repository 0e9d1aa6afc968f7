"""From a sweep file to finished rows. The only room with Ray."""
