"""Writes a VCF file of many made-up people: `cohort.py TABLES COUNT > cohort.vcf`.

Everybody has two of the common alleles of 13 genes, drawn at random, and a call at every place that defines an allele of these genes. TABLES is the folder
with pharmcat/alleles. Nothing is real.
"""

import json
import random
import sys
from pathlib import Path

COMMON = {
    "CYP2C19": ["*1", "*2", "*3", "*4", "*6", "*8", "*9", "*10", "*17", "*38"],
    "CYP2C9": ["*1", "*2", "*3", "*5", "*6", "*8", "*11"],
    "CYP2B6": ["*1", "*4", "*5", "*6", "*9", "*18", "*22"],
    "CYP3A5": ["*1", "*3", "*6", "*7"],
    "CYP3A4": ["*1", "*20", "*22"],
    "DPYD": ["Reference", "c.1905+1G>A (*2A)", "c.1679T>G (*13)", "c.2846A>T", "c.1129-5923C>G, c.1236G>A (HapB3)",
             "c.85T>C (*9A)", "c.1627A>G (*5)"],
    "TPMT": ["*1", "*2", "*3A", "*3B", "*3C"],
    "NUDT15": ["*1", "*2", "*3", "*4", "*5", "*6"],
    "SLCO1B1": ["*1", "*5", "*14", "*15", "*20", "*37"],
    "UGT1A1": ["*1", "*6", "*28", "*36", "*80+*28", "*80+*37"],
    "VKORC1": ["rs9923231 reference (C)", "rs9923231 variant (T)"],
    "ABCG2": ["rs2231142 reference (G)", "rs2231142 variant (T)"],
    "G6PD": ["B (reference)", "A", "A- 202A_376G", "Mediterranean, Dallas, Panama, Sassari, Cagliari, Birmingham",
             "Canton, Taiwan-Hakka, Gifu-like, Agrigento-like"],
}
# how much more often the first allele is drawn than each other
USUAL = 8


def lines_of(tables, gene, common, count):
    """The places of a gene with everybody's genotypes."""
    file = json.loads((tables / "pharmcat/alleles" / f"{gene}_translation.json").read_text())
    named = {allele["name"]: allele["alleles"] for allele in file["namedAlleles"]}
    reference = next(allele["alleles"] for allele in file["namedAlleles"] if allele.get("reference"))
    texts = [[own or usual for own, usual in zip(named[name], reference)] for name in common]
    weights = [USUAL] + [1] * (len(common) - 1)
    people = [random.choices(texts, weights, k=2) for _ in range(count)]
    for index, place in enumerate(file["variants"]):
        known = [place["ref"], *place["alts"]]
        number = lambda text: known.index(text[index]) if text[index] in known else 0
        calls = ["/".join(map(str, sorted(map(number, pair)))) for pair in people]
        alternates = ",".join(place["alts"])
        yield [file["chromosome"], place["position"], place.get("rsid") or ".", place["ref"], alternates,
               ".", "PASS", ".", "GT", *calls]


def main():
    tables, count = Path(sys.argv[1]), int(sys.argv[2])
    random.seed(1)
    lines = [line for gene, common in COMMON.items() for line in lines_of(tables, gene, common, count)]
    order = lambda line: (int(line[0][3:]) if line[0][3:].isdigit() else 23, line[1])
    print("##fileformat=VCFv4.2", "##contig=<ID=chr1,length=248956422>", sep="\n")
    print('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">')
    print("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT",
          *[f"S{number:04}" for number in range(count)], sep="\t")
    for line in sorted(lines, key=order):
        print(*line, sep="\t")


main()
