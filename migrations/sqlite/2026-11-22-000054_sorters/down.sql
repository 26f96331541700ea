DROP TABLE sorter_bins;
