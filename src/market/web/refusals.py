"""Refusals in words, by their code, Korean and English: what a service says of itself is for
programs."""

from collections.abc import Mapping

CODES: Mapping[str, tuple[str, str]] = {
    "already_bought": (
        "이미 거래하고 있는 용품이에요. 한 사람이 하나씩 살 수 있어요.",
        "You have a trade of this item already; one unit each.",
    ),
    "amount_changed": (
        "그 사이에 남은 금액이 바뀌었어요. 금액을 확인하고 다시 눌러 주세요.",
        "What is left has changed. Check it, and press again.",
    ),
    "bank_refused": (
        "결제사가 이용할 수 없는 은행이에요. 다른 은행을 선택해 주세요.",
        "The payment company can't use this bank. Choose another.",
    ),
    "buyer_needed": (
        "결제사에 알려야 하는 구매자 정보가 빠졌어요.",
        "The payment company needs more of your details.",
    ),
    "refund_phone_needed": (
        "환불받으려면 예금주의 휴대폰 번호가 필요해요.",
        "A refund needs the account holder's mobile number.",
    ),
    "bank_needed": ("은행을 골라 주세요.", "Choose a bank."),
    "cancellation_in_progress": (
        "이미 결제취소가 진행 중이에요.",
        "A cancellation is under way already.",
    ),
    "email_taken": ("이미 가입한 이메일이에요.", "A member with this address exists already."),
    "forbidden": ("할 수 없는 일이에요.", "This is not yours to do."),
    "forged_form": (
        "화면이 오래됐거나 다른 곳에서 보낸 양식이에요. 페이지를 다시 열고 해 주세요.",
        "This form is too old, or not ours. Load the page again.",
    ),
    "gateway_refused": (
        "결제사가 받아들이지 않았어요. 다른 방법으로 결제해 주세요.",
        "The payment gateway refused. Try another way to pay.",
    ),
    "gateway_unavailable": (
        "결제사가 대답하지 않아요. 잠시 뒤에 다시 해 주세요.",
        "The payment gateway does not answer. Try again shortly.",
    ),
    "hold_expired": ("결제 기한이 지났어요.", "The time to pay has run out."),
    "internal_error": (
        "저희 쪽에서 문제가 생겼어요. 잠시 뒤에 다시 해 주세요.",
        "Something went wrong on our side. Try again shortly.",
    ),
    "invalid_request": ("알아볼 수 없는 요청이에요.", "The request does not make sense."),
    "invalid_transition": (
        "그 사이에 거래가 바뀌어서 지금은 할 수 없어요.",
        "The trade has changed meanwhile; this is not possible now.",
    ),
    "nickname_reserved": (
        "이 닉네임은 쓸 수 없어요. 운영자로 보일 수 있어요.",
        "This nickname can't be used: it could be taken for the market's own.",
    ),
    "nickname_taken": (
        "이미 있거나 비슷해 보이는 닉네임이에요.",
        "This nickname, or one that looks like it, is taken.",
    ),
    "not_found": (
        "없는 페이지이거나 볼 수 없는 페이지예요.",
        "There is no such page, or it is not yours to see.",
    ),
    "not_your_part": ("상대방이 할 일이에요.", "That step is for the other party to take."),
    "outcome_unknown": (
        "결제사의 대답을 듣지 못했어요. 확인되는 대로 알려 드릴게요.",
        "The gateway gave no answer; we will look it up and tell you.",
    ),
    "own_product": ("내가 파는 용품은 살 수 없어요.", "You can't buy what you sell."),
    "photo_refused": (
        "올릴 수 없는 파일이에요. 8MB, 1억 1천만 화소까지 돼요(PNG 2,400만, WebP 1,200만).",
        "That file can't be used: at most 8 MB and 110 megapixels (PNG 24, WebP 12).",
    ),
    "photos_expired": (
        "전에 올린 사진의 보관 기간이 지났어요. 사진을 다시 선택해 주세요.",
        "The photos you added before are no longer kept. Choose them again.",
    ),
    "body_too_large": ("보낸 것이 너무 커요.", "That is too large."),
    "quantity_below_taken": (
        "이미 거래하고 있는 수량보다 적게 바꿀 수 없어요.",
        "That many units are already in trades.",
    ),
    "refund_account_needed": (
        "환불받을 본인 계좌를 알려 주세요.",
        "Name an account of yours for the refund.",
    ),
    "refund_refused": (
        "결제사가 환불을 거절했어요. 거래는 그대로예요.",
        "The payment gateway refused the refund. The trade goes on as it was.",
    ),
    "refund_already_asked": (
        "이미 요청한 환불이에요. 거래 화면에서 확인해 주세요.",
        "This refund was asked for before. See the trade's page.",
    ),
    "refund_too_small": (
        "너무 적은 금액은 따로 환불할 수 없어요. 100원이나 결제 금액의 1%부터 할 수 있어요.",
        "That is too little to refund: at least 100 won, and 1 % of what was paid.",
    ),
    "too_many_refunds": (
        "부분 환불을 더 할 수 없어요. 전액 결제취소는 할 수 있어요.",
        "No more partial refunds of this payment; all that is left can still go back.",
    ),
    "signed_out": (
        "로그아웃된 상태예요. 다시 로그인하면 이어서 할 수 있어요.",
        "You have been signed out. Sign in again to continue.",
    ),
    "sold_out": (
        "지금은 살 수 있는 수량이 없어요.",
        "There is no unit left to buy now.",
    ),
    "rate_limited": (
        "너무 자주 시도했어요. 잠시 뒤에 다시 해 주세요.",
        "Too many attempts. Try again in a while.",
    ),
    "social_account_conflict": (
        "이 이메일의 회원은 이미 다른 계정으로 연결돼 있어요.",
        "The member with this address signs in with another account there.",
    ),
    "social_code_invalid": (
        "로그인이 오래 걸렸거나 다른 브라우저에서 시작됐어요. 다시 해 주세요.",
        "That sign-in took too long, or began in another browser. Begin again.",
    ),
    "social_declined": ("로그인이 취소됐어요.", "The sign-in was declined."),
    "social_refused": ("로그인하지 못했어요. 다시 해 주세요.", "That did not work. Begin again."),
    "social_state_invalid": (
        "로그인이 오래 걸렸거나 다른 브라우저에서 시작됐어요. 다시 해 주세요.",
        "That sign-in took too long, or began in another browser. Begin again.",
    ),
    "social_unavailable": (
        "지금은 연결되지 않아요. 잠시 뒤에 다시 해 주세요.",
        "It can't be reached now. Try again shortly.",
    ),
    "stale": (
        "그 사이에 다른 곳에서 수정됐어요. 지금은 아래와 같아요. 바꾸려면 다시 저장해 주세요.",
        "This was edited elsewhere meanwhile, to what is shown below. Save again to replace it.",
    ),
    "step_up_needed": (
        "로그인한 지 오래됐어요. 다시 로그인한 뒤 10분 안에 만들어 주세요.",
        "You signed in a while ago. Sign in again, then do this within 10 minutes.",
    ),
    "too_many_photos": ("사진은 다섯 장까지 올릴 수 있어요.", "Five photos at most."),
    "too_many_requests": ("너무 자주 했어요. 잠시 뒤에 해 주세요.", "Too often. Wait a moment."),
    "unavailable": (
        "지금은 너무 붐벼요. 잠시 뒤에 다시 해 주세요.",
        "Too busy right now. Try again shortly.",
    ),
    "version_conflict": (
        "지금은 너무 붐벼요. 잠시 뒤에 다시 해 주세요.",
        "Too busy right now. Try again shortly.",
    ),
    "wrong_credentials": (
        "이메일이나 비밀번호가 맞지 않아요.",
        "Address or password is wrong.",
    ),
}
