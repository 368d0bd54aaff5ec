// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/* Widths, docs/SPEC.md §1 */

// {X} binary digits of a cash ledger and of a curve price
uint256 constant CASH_BITS = 40;
// {X} binary digits of a product ledger and of a demanded rate
uint256 constant LOT_BITS = 44;
// {X} from lots X44 times cash X84 down to cash X40
uint256 constant PAYMENT_SHIFT = 88;
uint256 constant MAX_RATE = 1 << 48; // {portfolio unit}
uint256 constant MAX_WEIGHT = 1 << 20; // {lot}
int256 constant MAX_CURVE_PRICE = 1 << 112; // {cash X40}
int256 constant PRICE_BOUND = 1 << 138; // {cash X84} exclusive
uint256 constant MAX_LEGS = 16;
uint256 constant MAX_STEPS = 16; // a side
uint256 constant MAX_COSTS = 16;
uint256 constant MAX_TERMS = 16; // of a cost
uint256 constant MAX_LISTED = 64; // products and auths of a submission
// of a market: prices and sums of all, MAX_CHUNKS digests and an item fit a transaction of 128 KiB
uint256 constant MAX_PRODUCTS = 768;
uint16 constant CASH = type(uint16).max; // asset id

/* Capacity, docs/SPEC.md §2: upper bounds of what a settlement spends, measured by scripts/gas.py */

uint256 constant UNIT_GAS = 2_560; // {gas/unit}
uint256 constant SUBMISSION_GAS = 14_500;
uint256 constant STAND_GAS = 5_200; // the second word and the event of a submission that begins to stand
uint256 constant BYTE_GAS = 25;
uint256 constant PRODUCT_GAS = 11_400;
uint256 constant AUTH_GAS = 2_700;
uint256 constant LEG_GAS = 1_000;
uint256 constant STEP_GAS = 500;
uint256 constant LIMIT_GAS = 1_500;
uint256 constant COST_GAS = 3_500;
uint256 constant TERM_GAS = 900;
uint256 constant WORD_GAS = 23_500;
uint256 constant MIN_UNITS = 10;
// {byte/unit} share of a 128 KiB transaction
uint256 constant UNIT_BYTES = 19;
// {byte} account, length and counts before each payload of a settlement
uint256 constant ITEM_HEAD = 24;
uint256 constant SHADOW_BYTES = 20; // {byte} a shadow price there
// {byte} id and price of a product in a settlement
uint256 constant PRICE_BYTES = 64;
uint256 constant MAX_CAPACITY = 1 << 20; // {unit}
uint256 constant VOID_GAS = 150_000; // refunded to who closes a void batch
uint256 constant RESTORE_GAS = 14_000; // refunded for each account that a void batch has left written ahead

/* Chunks, docs/SPEC.md §10: what a chunk does to its accounts fits one transaction */

uint256 constant CHUNK_BYTES = 98_304; // {byte} of effects
uint256 constant MAX_CHUNKS = 512; // of a run: their digests come with whatever is applied or restored
uint256 constant CHUNK_GAS = 14_000_000; // {gas} of applying them, by these bounds
uint256 constant EFFECT_GAS = 7_500; // an account and its word
uint256 constant SECOND_GAS = 5_800;
uint256 constant PAIR_GAS = 6_000;
uint256 constant FRESH_GAS = 17_100; // more if the pair's word was zero
