// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Quantities carry their unit in braces. `Xn` is fixed point with n binary digits after the point:
/// {cash X40} cash units × 2^40, {cash X84} cash units × 2^84 per lot, {lot X44} lots × 2^44.
/// The page docs/SPEC.md gives every format and formula used here.

/// @notice Offsets of a batch's phases from its start, and the absolute schedule.
struct Timetable {
    /// {s} start of batch 0, which is never open: the first batch starts at genesis + period
    uint64 genesis;
    /// {s} length of a batch
    uint32 period;
    /// {s} from here nothing can be cancelled or changed, and live ledgers are frozen
    uint32 lockIn;
    /// {s} from here nothing enters
    uint32 lockOut;
    /// {s} lock-out plus the chain's finality: from here the key may be published
    uint32 revealFrom;
    /// {s} T1: without a key the batch is void from here
    uint32 keyDeadline;
    /// {s} T2: until here only the operator settles
    uint32 exclusiveUntil;
    /// {s} T3: without a settlement the batch is void from here
    uint32 deadline;
}

/// @notice Everything a market fixes for ever.
struct Parameters {
    /// registers keys, lists products, posts the bond; can stop no exit
    address operator;
    /// ERC-20 numeraire. Assumed: exact transfers, no rebasing; anything else only hurts this asset's own deposits and withdrawals
    address cash;
    /// {cash base unit} in one cash unit
    uint96 cashUnit;
    Timetable timetable;
    /// {s} of one block; each phase must last two
    uint32 blockTime;
    /// {unit} declared units a batch may hold, at most 2^20
    uint32 capacity;
    /// {cash unit} total cash the market takes in, at most 2^55
    uint64 cashCap;
    /// {cash unit} bound on the value of all cover, at most 2^66: fixes the house's funding
    uint96 coverCap;
    /// {cash unit} the operator's bond
    uint64 bond;
    /// {cash unit} paid from the bond to each account that sealed in a void batch; at most the least fee
    uint64 compensation;
    /// {cash X40 / wei} price of gas in cash
    uint64 cashPerWei;
    /// {wei / gas} lowest base fee charged
    uint64 minBaseFee;
}

/// @notice Trading state of a product: one storage word.
struct Product {
    /// {lot X44} the house's holding
    uint96 house;
    /// {cash X40 / lot} reference price of the vanishing market maker
    uint80 referencePrice;
    /// {cash X24 / lot} listing scale
    uint56 scale;
    /// {1e-4 of scale} tick
    uint8 tickBps;
    /// 2^depthLog2 {lot} of volume move the reference half way
    uint8 depthLog2;
    /// 2^houseLog2 {lot} is the least the house must hold
    uint8 houseLog2;
}

/// @notice Custody of an asset.
struct Listing {
    address token;
    /// {base unit / lot} (for cash: base units per cash unit)
    uint96 lot;
    /// {lot X44 or cash X40} everything of it inside the contract
    uint128 custody;
    /// {lot X44 or cash X40} custody never exceeds it by a deposit
    uint128 cap;
}

/// @notice An account: two storage words. Balances of other than the home product lie beside it, two products to a word.
struct Account {
    /// {cash X40} of a standing account: before the rent it owes
    uint96 cash;
    /// {lot X44} of the home product
    uint96 home;
    /// home product id + 1, 0 while the account never held a product
    uint16 homeProduct;
    /// batch of the live submission, 0 if none; of a standing account the rent index up to which it paid
    uint32 batch;
    /// {unit} declared for it
    uint8 units;
    /// bit 0 standing, 1 paused, 2 uncovered in its last batch, 3 amended
    uint8 flags;
    /// H(TAG_SEAL, batchId, ct); of a standing account H(TAG_STAND, len, body, progress)
    bytes32 sealHash;
}

/// @notice The batch that was opened last: one storage word.
struct Batch {
    uint32 number;
    /// live accounts, fixed at lock-out; standing ones among them
    uint32 live;
    /// {unit} declared by them and by amendments
    uint32 units;
    /// what the rent index grows by when it settles
    uint8 ticks;
    bool settled;
    /// void by a leak, or void and closed
    bool closed;
    /// {cash X40} admission fees, for the settler; of one settled in chunks or void, what is left for who applies or restores
    uint96 pot;
    /// settled: accounts to which a settlement in chunks is not applied yet; else: accounts that a run has written ahead
    uint32 unapplied;
}

/// @notice All standing submissions that are not paused: they are live in every batch that opens.
struct Standing {
    uint32 count;
    /// {unit}
    uint32 units;
    /// sum of the ticks of all settled batches
    uint32 rentIndex;
}

/// @notice What a standing account sealed to replace its submission.
struct Amendment {
    /// H(TAG_SEAL, batchId, ct)
    bytes32 sealHash;
    /// counts in this batch only, and while the account's flag is set
    uint32 batch;
    /// {unit}
    uint8 units;
}

/// @notice State of a verification in chunks, after docs/SPEC.md §10. Only its hash is stored.
struct Run {
    /// keccak256(abi.encode(products, prices))
    bytes32 board;
    /// last account listed
    address last;
    uint32 listed;
    uint32 voids;
    /// of those listed, accounts that a run writing ahead left as they are
    uint32 rested;
    /// {cash X40} received by accounts
    int256 cash;
    /// for [C-3] and [C-4]
    uint256 slopes;
    uint256 costLoss;
    uint256 costSpan;
    /// {cash X40} of standing accounts for this batch
    uint256 rent;
    /// joined less ended
    int256 standing;
    /// {unit} of them
    int256 standingUnits;
    /// two words for each product: demand i128 ‖ tolerance u64 ‖ gross u64, and volume u128 ‖ used u128
    uint256[] totals;
    /// running hash of each chunk's effects
    bytes32[] digests;
}

/// @notice Operator's and common funds.
struct Treasury {
    /// {cash X40}
    uint96 houseCash;
    /// {cash X40}
    uint96 bond;
    /// products whose house is below its least holding
    uint16 shortHouses;
    /// {cash X40} nobody's, out of custody for ever: surcharges and slashed bonds
    uint128 burnt;
    /// {cash X40} set aside for compensation of void batches
    uint96 reserved;
}

/// @notice What a deposit in {depositAndSeal} wants.
struct Deposit {
    /// product id, or 65535 for cash
    uint16 asset;
    /// {base unit}
    uint256 amount;
}

/// @notice Phases of a batch; only forward.
enum Phase {
    PENDING,
    OPEN,
    LOCKED_IN,
    LOCKED_OUT,
    REVEAL,
    CLEARING,
    FALLBACK,
    SETTLED,
    VOID
}

/// @notice Why a submission does not trade in its batch. docs/SPEC.md §2.
enum VoidReason {
    NONE,
    UNOPENED,
    MALFORMED,
    OVERSIZED,
    EXPIRED,
    UNCOVERED,
    RENT
}

/// @title Walras: a sealed batch auction that checks its auctioneer
/// @notice Bidders escrow tokens and seal orders; after lock-out the batch key is published, the contract opens every order itself,
/// computes every fill from posted prices in exact integers and accepts only if every product clears.
/// @dev Safety of an asset assumes its token moves exactly what it says and never shrinks balances. Liveness of an asset's
/// withdrawals assumes its token lets this contract transfer. No other asset and no settlement depends on either.
interface IWalras {
    /* ------------------------------------------------ events ------------------------------------------------ */

    /// @notice A product trades from batch `fromBatch` on.
    event Listed(uint16 indexed product, address indexed token, uint96 lot, uint32 fromBatch);
    /// @notice The scale of a product was set to its reference. {cash X24 / lot}
    event ScaleReset(uint16 indexed product, uint56 scale);
    /// @notice `amount` {base unit} of `asset` came into the account's ledger.
    event Deposited(address indexed account, uint16 indexed asset, uint256 amount);
    /// @notice `amount` {base unit} of `asset` left the account's ledger to `to`.
    event Withdrawn(address indexed account, uint16 indexed asset, uint256 amount, address to);
    /// @notice The public key (x, y) of a batch.
    event KeyRegistered(uint32 indexed batch, uint256 x, uint256 y);
    /// @notice The secret key of a batch: every seal of it is readable from here on.
    event KeyRevealed(uint32 indexed batch, uint256 secret);
    /// @notice The secret key of a batch was shown before its lock-out: the batch is void.
    event KeyLeaked(uint32 indexed batch, address indexed reporter, uint256 secret);
    /// @notice A batch opened with its standing accounts live. {unit}
    event Opened(uint32 indexed batch, uint32 live, uint32 units, uint8 ticks);
    /// @notice A sealed submission and its declared units; of a standing account an amendment.
    event Sealed(uint32 indexed batch, address indexed account, uint8 units, bytes ct);
    /// @notice The account has no live submission in `batch` any more.
    event Cancelled(uint32 indexed batch, address indexed account);
    /// @notice The account's submission does not trade in this batch.
    event Voided(uint32 indexed batch, address indexed account, VoidReason reason);
    /// @notice The account's submission stands from the batch after this one on.
    event Joined(uint32 indexed batch, address indexed account);
    /// @notice The account's amendment was opened, and replaces its submission or not.
    event Amended(uint32 indexed batch, address indexed account, bool replaced);
    /// @notice The account's standing submission ended with this batch: complete, or void ({Voided} came before).
    event Ended(uint32 indexed batch, address indexed account);
    /// @notice The account's submission stands, but is live in no batch.
    event Paused(address indexed account);
    /// @notice The account's submission is live in every batch again, `batch` (if not 0) among them.
    event Resumed(address indexed account, uint32 batch);
    /// @notice A batch settled.
    /// @param products ids that submissions touched, ascending
    /// @param prices {cash X84 / lot}
    /// @param volumes {lot X44} bought
    /// @param live accounts listed, voids among them
    /// @param loss {cash X40} bound on welfare lost to rounding
    /// @param freedom {cash X40} bound on what another accepted price vector could have moved
    event Settled(
        uint32 indexed batch,
        address indexed settler,
        uint16[] products,
        int256[] prices,
        uint256[] volumes,
        uint32 live,
        uint32 voids,
        uint256 loss,
        uint256 freedom
    );
    /// @notice A chunk was verified; the run of `settler` now hashes to `run` and lists so many accounts. Continues that of `from`, if not 0.
    event Verified(uint32 indexed batch, address indexed settler, address from, uint32 listed, bytes32 run);
    /// @notice A chunk of a settled batch was applied to so many accounts.
    event Applied(uint32 indexed batch, address indexed caller, uint256 chunk, uint256 accounts);
    /// @notice So many accounts of a chunk that was written ahead are again what they were.
    event Restored(uint32 indexed batch, address indexed caller, uint256 chunk, uint256 accounts);
    /// @notice A void batch was closed and the bond slashed. {cash X40}
    event VoidClosed(uint32 indexed batch, address indexed caller, uint256 reward, uint256 compensation, uint256 burnt);
    /// @notice `amount` {cash X40} became claimable by `account`.
    event Credited(address indexed account, uint256 amount);
    /// @notice `amount` {cash base unit} of claimable cash left to `to`.
    event Claimed(address indexed account, uint256 amount, address to);
    /// @notice The bond changed. {cash X40}
    event BondChanged(uint256 bond);
    /// @notice The house of an asset changed by funding or drawing. {lot X44 or cash X40}
    event HouseChanged(uint16 indexed asset, uint256 holding);

    /* ------------------------------------------------ errors ------------------------------------------------ */

    /// @notice A constructor or listing parameter is outside its range.
    error BadParameter(string name, uint256 value);
    /// @notice Only the operator may do this (now).
    error NotOperator(address caller);
    /// @notice No product or asset has this id.
    error UnknownAsset(uint16 asset);
    /// @notice There is no contract at the token's address.
    error NoToken(address token);
    /// @notice The token of this address is cash or listed already.
    error AlreadyListed(address token);
    /// @notice No further product fits.
    error TooManyProducts();
    /// @notice The scale is still within four times of the reference.
    error ScaleHolds(uint256 scale, uint256 target);
    /// @notice `amount` {base unit} is no whole number of ledger units; `exact` is the next lower that is.
    error InexactAmount(uint256 amount, uint256 exact);
    /// @notice The token delivered another amount than requested.
    error WrongTransfer(uint256 requested, uint256 received);
    /// @notice The deposit would exceed the cap. {lot X44 or cash X40}
    error CapExceeded(uint256 custody, uint256 cap);
    /// @notice The ledger holds less. {lot X44 or cash X40}
    error InsufficientBalance(uint256 requested, uint256 available);
    /// @notice Amount zero, or recipient zero or this contract.
    error BadTransfer();
    /// @notice A live account is frozen from lock-in to the end of its batch, and until a settlement in chunks is applied to it.
    error Frozen(address account, uint32 batch);
    /// @notice The batch is in another phase than this needs.
    error WrongPhase(uint32 batch, Phase phase);
    /// @notice Only the current batch takes seals.
    error NotCurrent(uint256 batch, uint256 current);
    /// @notice From lock-in a live submission is committed.
    error Committed(address account, uint32 batch);
    /// @notice The account has no live submission.
    error NotLive(address account);
    /// @notice The account has no standing submission.
    error NotStanding(address account);
    /// @notice The standing submission is paused.
    error IsPaused(address account);
    /// @notice The standing submission is not paused.
    error NotPaused(address account);
    /// @notice The rent index is used up: no batch opens any more.
    error MarketOver();
    /// @notice The batch is open already.
    error AlreadyOpen(uint32 batch);
    /// @notice The batch before is settled, but not applied to all its accounts, or void, but not restored.
    error Unapplied(uint32 batch, uint32 accounts);
    /// @notice No key is registered for the batch.
    error KeyMissing(uint32 batch);
    /// @notice The batch has a key already, or started.
    error KeyTooLate(uint32 batch);
    /// @notice A key with this x was used before.
    error KeyUsed(uint256 x);
    /// @notice (x, y) is no point of secp256k1.
    error NotOnCurve(uint256 x, uint256 y);
    /// @notice The secret is not the one of the registered key.
    error WrongSecret(uint32 batch);
    /// @notice A void batch has to be closed first.
    error VoidUnclosed(uint32 batch);
    /// @notice The batch is not void, was closed, or had nobody live.
    error NothingToClose(uint32 batch);
    /// @notice No compensation is due to this account.
    error NothingDue(address account);
    /// @notice The bond is below its full amount. {cash X40}
    error BondShort(uint256 bond, uint256 full);
    /// @notice The house is below its least holding of some product or of cash.
    error HouseUnderfunded(uint16 shortHouses, uint256 houseCash, uint256 leastCash);
    /// @notice Units outside [10, 255], or too few for the ciphertext's length.
    error BadUnits(uint256 units, uint256 length);
    /// @notice The batch, or what stands, would be more than capacity. {unit}
    error BatchFull(uint256 units, uint256 capacity);
    /// @notice A batch is unfinished: funds that back it stay.
    error Unfinished(uint32 batch);
    /// @notice Product ids of a settlement must ascend.
    error ProductsNotAscending(uint16 product);
    /// @notice No such product in this batch.
    error UnknownProduct(uint16 product);
    /// @notice |price| must be below 2^138.
    error PriceOutOfRange(uint16 product, int256 price);
    /// @notice Nobody is live in the batch.
    error NothingToSettle(uint32 batch);
    /// @notice Products and prices differ in number.
    error LengthMismatch(uint256 products, uint256 prices);
    /// @notice A submission lists a product without a posted price.
    error PriceMissing(uint16 product);
    /// @notice A price was posted that no submission asks for.
    error PriceUnused(uint16 product);
    /// @notice Submission data ends inside a submission.
    error TruncatedData();
    /// @notice Accounts of a settlement must ascend.
    error AccountsNotAscending(address account);
    /// @notice The account has no live submission in this batch.
    error AccountNotLive(address account);
    /// @notice These are not the bytes the account sealed, or not its progress.
    error WrongCiphertext(address account);
    /// @notice The item of this account has shadow prices or progress that its submission does not ask for.
    error WrongItem(address account);
    /// @notice This is not the state of that settler's run.
    error WrongRun(uint32 batch, address settler);
    /// @notice A run keeps its products and prices.
    error WrongBoard(bytes32 board, bytes32 expected);
    /// @notice The run has as many chunks as a run may have.
    error TooManyChunks(uint32 batch);
    /// @notice What a chunk does to accounts may not fit one transaction. {byte}, {gas}
    error ChunkTooLarge(uint256 size, uint256 gas);
    /// @notice No settlement in chunks waits to be applied to this batch.
    error NothingToApply(uint32 batch);
    /// @notice No run has written accounts of this batch ahead, or it is settled.
    error NothingToRestore(uint32 batch);
    /// @notice Another run has written so many accounts ahead: they have to be restored first.
    error WrittenAhead(uint32 batch, uint32 accounts);
    /// @notice These are not the effects of the chunk.
    error WrongEffects(uint32 batch, uint256 chunk);
    /// @notice The settlement lists another number of accounts than are live.
    error LiveCountMismatch(uint256 listed, uint256 live);
    /// @notice [C-1] the product does not clear at these prices. {lot X44}
    error NotCleared(uint16 product, int256 excess, uint256 tolerance);
    /// @notice The item brings another number of shadow prices than its submission has costs (none if it is void by rules 1 to 6).
    error ShadowsMismatch(uint256 given, uint256 needed);
    /// @notice [C-5] the shadow price is not on its cost's curve. {cash X84}
    error ShadowOutOfRange(address account, uint256 cost, int256 shadow);
    /// @notice [C-5] the cost does not clear at these prices. {X44}
    error CostNotCleared(address account, uint256 cost, int256 excess, uint256 tolerance);
    /// @notice [C-2] the house cannot take the residue. {lot X44 or cash X40}
    error HouseShort(uint16 asset, int256 holding);
    /// @notice A ledger would leave its range: the prices cannot be right.
    error LedgerOutOfRange(address account, uint16 asset, int256 balance);

    /* ----------------------------------------------- escrow ----------------------------------------------- */

    /// @notice Takes `amount` {base unit} of `asset` into the caller's ledger.
    /// @dev Reverts InexactAmount unless the amount is exact in ledger units; WrongTransfer unless exactly that much arrives; Frozen.
    function deposit(uint16 asset, uint256 amount) external;

    /// @notice As {deposit}, with an EIP-2612 permit. A permit that fails (used up by somebody else, say) is ignored: the allowance decides.
    function depositWithPermit(uint16 asset, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Deposits and seals in one call.
    function depositAndSeal(Deposit[] calldata deposits, uint8 units, bytes calldata ct, uint256 batch) external;

    /// @notice Sends `amount` {base unit} of the caller's ledger to `to`; `type(uint256).max` means all whole base units.
    /// @dev Debits rounded up. Reverts Frozen.
    function withdraw(uint16 asset, uint256 amount, address to) external;

    /// @notice Sends all whole base units of the caller's claimable cash (rewards, compensation) to `to`. Never frozen.
    function claim(address to) external;

    /* ------------------------------------------------ sealing ----------------------------------------------- */

    /// @notice Opens the current batch, in OPEN or LOCKED_IN: all standing accounts are live in it. The first seal does the same.
    /// @dev Needs its key, the batch before finished and applied, full bond and no house short.
    function open(uint256 batch) external;

    /// @notice Seals a submission for the current batch; replaces the caller's own in OPEN. From a standing account it is an
    /// amendment, in OPEN: it replaces body and units from the next batch on.
    /// @param units declared size: at least what the opened submission needs (docs/SPEC.md §2), else it is void
    /// @param ct R(33) ‖ ciphertext
    /// @param batch reverts NotCurrent unless it is the current one: a late seal must not fall into the next
    function seal(uint8 units, bytes calldata ct, uint256 batch) external;

    /// @notice Takes the caller's submission back. One for one batch in OPEN only; a standing one whenever the caller is not frozen. The fee
    /// stays, and the rent of a batch that is open. The last one live in a void batch reverts VoidUnclosed until {closeVoid}.
    function cancel() external;

    /// @notice Takes the caller's standing submission out of all batches until {resume}. Not while frozen. Drops an amendment. Likewise
    /// VoidUnclosed.
    /// @dev Rent is paid up to here; that of a batch in OPEN goes to its pot, so that room in a batch is never free.
    function pause() external;

    /// @notice Lets the caller's paused submission trade again, in the current batch too if that is open and before lock-out.
    /// @dev Reverts while the last opened batch is past lock-out and unfinished.
    function resume() external;

    /* ------------------------------------------------ operator ---------------------------------------------- */

    /// @notice Registers the public key of a batch that has not started.
    function registerKey(uint32 batch, uint256 x, uint256 y) external;

    /// @notice Publishes the secret key of a batch, from lock-out plus finality until T1. Anybody who has it may.
    function reveal(uint32 batch, uint256 secret) external;

    /// @notice Shows that a batch's secret is known before its lock-out: voids the batch, burns the bond.
    function reportLeak(uint32 batch, uint256 secret) external;

    /// @notice Lists a product from the next batch on. Operator only.
    /// @param scale {cash X24 / lot} @param lotsCap {lot} custody cap
    function list(address token, uint96 lot, uint56 scale, uint8 tickBps, uint8 depthLog2, uint64 lotsCap)
        external
        returns (uint16 product);

    /// @notice Sets the scale of a product to its reference when they are four times apart. Anybody, while no batch is unfinished.
    function resetScale(uint16 product) external;

    /// @notice Adds to the house. Anybody.
    function fundHouse(uint16 asset, uint256 amount) external;

    /// @notice Takes from the house what is above its least holding. Operator, while no batch is unfinished.
    function drawHouse(uint16 asset, uint256 amount, address to) external;

    /// @notice Adds to the operator's bond. Anybody.
    function addBond(uint256 amount) external;

    /// @notice Takes from the bond. Operator, while no batch is unfinished.
    function drawBond(uint256 amount, address to) external;

    /* ----------------------------------------------- settlement --------------------------------------------- */

    /// @notice Settles a batch at posted prices if, and only if, they clear it.
    /// @dev Requirements: phase CLEARING (operator) or FALLBACK (anybody); `products` strictly ascending and exactly those that submissions
    /// list; `submissions` lists every live account once, strictly ascending, as an item of docs/SPEC.md §6; every product satisfies [C-1], [C-2],
    /// every cost [C-5]. Moves no token and calls nothing. The batch's pot and rent become claimable by the caller.
    function settle(uint32 batch, uint16[] calldata products, int256[] calldata prices, bytes calldata submissions)
        external;

    /// @notice Verifies a chunk of a batch: begins a run of the caller's (`from` zero), or goes on from anybody's. The chunk that lists the last
    /// live account settles the batch. Phases and callers as for {settle}.
    /// @dev In CLEARING the operator's chunks write ahead: their accounts' words are what the outcome makes of them, stay frozen, and count for
    /// nothing until the batch settles; if it does not, {restoreChunk}. In FALLBACK a chunk only records its effects, for {applyChunk}.
    /// Reverts WrittenAhead where another run's words are in the way.
    /// @param run state after the chunk before, ignored if `from` is zero
    function verify(
        uint32 batch,
        address from,
        Run calldata run,
        uint16[] calldata products,
        int256[] calldata prices,
        bytes calldata submissions
    ) external;

    /// @notice Writes what a chunk of a batch settled in chunks does to its accounts, each once. Anybody, at any time, any chunk.
    /// @param digests of the run that settled it @param chunk index into it @param effects whose hash is there
    /// @param most accounts to write; call again for the rest
    function applyChunk(uint32 batch, bytes32[] calldata digests, uint256 chunk, bytes calldata effects, uint256 most)
        external;

    /// @notice Takes back what a chunk has written ahead, each account once: the operator in CLEARING, anybody in FALLBACK or once the batch is
    /// void. A closed void batch pays for it from bond and pot.
    /// @param digests of the run that has written ahead @param chunk index into it @param effects whose hash is there
    /// @param most accounts to write; call again for the rest
    function restoreChunk(uint32 batch, bytes32[] calldata digests, uint256 chunk, bytes calldata effects, uint256 most)
        external;

    /// @notice Closes a void batch that had live accounts: slashes the bond. Anybody, for a reward.
    function closeVoid(uint32 batch) external;

    /// @notice Credits `account` with the compensation for its seal in a closed void batch. Once, before its next seal. Nothing for what stood before.
    function compensate(address account) external;

    /* ------------------------------------------------- views ------------------------------------------------ */

    function parameters() external view returns (Parameters memory);
    function product(uint16 id) external view returns (Product memory);
    function listing(uint16 asset) external view returns (Listing memory);
    /// @notice Products listed, whether or not they trade yet.
    function productsListed() external view returns (uint16);
    /// @notice Products that trade in `batch` (the current or the last one).
    function productCount(uint32 batch) external view returns (uint16);
    function account(address owner) external view returns (Account memory);
    /// @notice {cash X40} rent a standing account owes, not yet taken from its word.
    function rentOwed(address owner) external view returns (uint256);
    /// @notice What the account sealed last as an amendment; see its flags.
    function amendment(address owner) external view returns (Amendment memory);
    function standing() external view returns (Standing memory);
    /// @notice {cash X40} rent for a unit and a tick.
    function unitRent() external view returns (uint256);
    /// @notice keccak256(abi.encode(run)) of a settler's verification, 0 if none.
    function runHash(uint32 batch, address settler) external view returns (bytes32);
    /// @notice keccak256(abi.encodePacked(digests)) of the last settlement in chunks that left something to apply, or of the run that has
    /// written ahead.
    function digestsHash() external view returns (bytes32);
    /// @notice Ledger of an account, net of rent. {lot X44 or cash X40}
    function balanceOf(address owner, uint16 asset) external view returns (uint256);
    /// @notice {cash X40}
    function claimable(address owner) external view returns (uint256);
    function batch() external view returns (Batch memory);
    function treasury() external view returns (Treasury memory);
    /// @notice {cash X40} the house's least cash
    function leastHouseCash() external view returns (uint256);
    /// @notice keccak256(x ‖ y) of a batch's key, 0 if none.
    function keyHash(uint32 batch) external view returns (bytes32);
    /// @notice Published secret of a batch, 0 if none.
    function secret(uint32 batch) external view returns (uint256);
    /// @notice keccak256(abi.encode(products, prices)) of a settled batch; 1 void with, 2 void without compensation; 0 otherwise.
    function outcome(uint32 batch) external view returns (bytes32);
    /// @notice Current batch by the clock, 0 before the first.
    function currentBatch() external view returns (uint32);
    function phase(uint32 batch) external view returns (Phase);
    function isFrozen(address owner) external view returns (bool);
    /// @notice {cash X40} admission fee of a seal now: fee and the surcharge on top, which is burnt.
    function admissionFee(uint8 units) external view returns (uint256 fee, uint256 surcharge);
    function batchId(uint32 batch) external view returns (bytes32);
}
