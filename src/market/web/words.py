"""The shop's words. Pages are written in Korean; English stands here beside it. A refusal's code
has its sentence in both: what a service says of itself is for programs."""

from collections.abc import Callable, Mapping

from . import console_words
from .refusals import CODES
from .visitor import Lang

Translate = Callable[..., str]

_ANY_REFUSAL = ("지금은 할 수 없어요.", "That is not possible now.")

# What a page says of the form that led to it, by the word in its address.
TOLD: Mapping[str, str] = {
    "listed": "용품을 올렸어요.",
    "edited": "바뀐 내용을 저장했어요.",
    "already_bought": "이미 거래하고 있는 용품이에요.",
    "sold_out": "아쉽게도 모두 팔렸어요.",
    "reserved": "지금은 모두 예약됐어요. 예약이 취소되면 다시 살 수 있어요.",
    "came_too_late": "거래가 끝난 뒤에 결제됐어요. 결제하신 금액은 전액 환불돼요.",
    "not_taken": "결제 내용이 거래와 달라서 받지 못했어요. 결제하신 금액은 전액 환불돼요.",
    "price_changed": "그 사이에 가격이 바뀌었어요. 지금 가격을 확인하고 다시 눌러 주세요.",
    "amount_changed": "그 사이에 거래 금액이 바뀌었어요. 금액을 확인하고 다시 눌러 주세요.",
    "paid": "결제가 끝났어요. 고맙습니다!",
    "not_paid": "아직 결제되지 않았어요. 다시 결제하거나 다른 방법을 골라 주세요.",
    "pay_failed": "결제되지 않았어요. 다른 카드나 다른 방법으로 해 주세요.",
    "looking": "결제 결과를 확인하고 있어요. 확인되면 이 페이지가 저절로 바뀌어요.",
    "approved": "판매승인했어요. 이제 물건을 보내 주세요.",
    "confirmed": "구매확정했어요. 고맙습니다!",
    "cancelled": "취소를 접수했어요.",
    "refund_account": "계좌를 받았어요. 바로 돌려드릴게요.",
    "password_chosen": "비밀번호를 만들었어요. 이제 이메일로도 로그인할 수 있어요.",
}

# Those that tell of something that did not come off; the others are good news.
REFUSED = frozenset(
    {
        "sold_out",
        "reserved",
        "came_too_late",
        "not_taken",
        "price_changed",
        "amount_changed",
        "not_paid",
        "pay_failed",
    }
)

EN: Mapping[str, str] = {
    "수량 {remaining}/{quantity}": "{remaining} of {quantity} left",
    "더 보기": "Show more",
    "내 거래": "My trades",
    "구매한 용품": "Bought",
    "예약중인 용품": "Reserved",
    "판매한 용품": "Sold",
    "내가 올린 용품": "My items",
    "결제": "Payment",
    "판매승인": "Sale approved",
    "구매확정": "Purchase confirmed",
    "판매승인하기": "Approve the sale",
    "구매확정하기": "Confirm the purchase",
    "판매자": "Seller",
    "구매자": "Buyer",
    "진행 상황": "Progress",
    "결제취소 진행 중": "Refund under way",
    "결제금을 돌려보내고 있어요. 끝나면 이 페이지가 저절로 바뀌어요.": (
        "The money is on its way back. This page changes by itself when it is there."
    ),
    "환불받을 계좌 알려 주기": "Name a refund account",
    "환불받을 계좌를 알려 주세요": "Where may we send the money back?",
    "입금하신 돈을 돌려드려야 해요. 받으실 계좌를 알려 주시면 바로 보내 드려요.": (
        "Your deposit has to go back. Name an account of yours, and it goes at once."
    ),
    "가상계좌로 입금해 주세요": "Please deposit into this virtual account",
    "은행": "Bank",
    "계좌번호": "Account number",
    "예금주": "Account holder",
    "입금할 금액": "Amount",
    "입금 기한": "Deposit by",
    "{left} 남음": "{left} left",
    "환불하고 남은 금액": "Amount left after refunds",
    "환불 내역": "Refund",
    "결제를 받지 못했어요": "Your payment could not be accepted",
    "전액 환불됐어요.": "All of it went back to you.",
    "전액 환불돼요.": "All of it goes back to you.",
    "아직 다시 결제할 수 있어요. 결제 기한:": "You can still pay again. Pay by",
    "다시 결제하기": "Pay again",
    "결제 기한이 지났어요": "Payment deadline passed",
    "예약이 풀려 다시 판매중이 돼요. 남은 수량이 있으면 다시 살 수 있어요.": (
        "The item goes back on sale. You can buy it again if it is still there."
    ),
    "지난 결제 실패 사유:": "Your last payment failed:",
    "앞서 결제하신 금액은 전액 환불돼요. 다시 결제해 주세요.": (
        "Your earlier payment could not be accepted, and all of it goes back. Please pay again."
    ),
    "환불 진행 중": "Refund under way",
    "결제사가 환불을 거절했어요. 거래는 그대로 이어져요.": (
        "The payment gateway refused the refund. The trade goes on."
    ),
    "제때 결제되지 않았어요": "It was not paid in time",
    "결제사에서 취소됐어요": "It was cancelled at the payment gateway",
    "거래가 끝난 뒤에 결제됐어요": "It was paid after the trade had ended",
    "은행이 환불금을 계좌로 보내지 못했어요": "The bank could not send the refund to the account",
    "운영자가 환불을 그만두기로 했어요": "An operator gave the refund up",
    "환불하지 못했어요": "The refund failed",
    "환불이 끝났어요": "The refund is done",
    "결제사가 접수한 환불을 끝내지 못했어요": "The payment company took it on and failed",
    "결제한 금액이 달랐어요": "The amount paid was another",
    "결제한 통화가 달랐어요": "It was paid in another currency",
    "다른 주문의 결제였어요": "The payment was another order's",
    "다른 상점에서 결제됐어요": "It was paid at another store",
    "다른 종류의 결제 채널이었어요": "It was paid through another kind of channel",
    "결제사가 환불을 거절했어요: {reason}": "The payment gateway refused the refund: {reason}",
    "입금이 확인되면 이 페이지가 저절로 바뀌어요. 금액이 다르면 결제되지 않고 돌려드려요.": (
        "This page changes by itself when your deposit arrives. Another amount is not accepted, "
        "and goes back to you."
    ),
    "새로 고침": "Refresh",
    "다른 방법으로 결제하기": "Pay another way",
    "결제를 기다리고 있어요": "Waiting for your payment",
    "결제 기한:": "Pay by:",
    "결제하기": "Pay",
    "구매자의 결제를 기다리고 있어요": "Waiting for the buyer to pay",
    "기한까지 결제하지 않으면 다시 판매중이 돼요.": "Unpaid by then, it is on sale again.",
    "결제가 끝났어요": "Paid",
    "판매자가 판매승인을 하면 알려 드릴게요. 그 전까지는 언제든 결제취소할 수 있어요.": (
        "We tell you when the seller has approved. Until then you may cancel at any time."
    ),
    "구매자가 결제했어요": "The buyer has paid",
    "판매승인을 누르고 물건을 보내 주세요.": "Approve the sale, and send the item.",
    "물건을 받으셨나요?": "Has it arrived?",
    "구매확정을 누르면 결제금이 판매자에게 정산되고, 더는 되돌릴 수 없어요.": (
        "Confirming releases the money to the seller, and can't be undone."
    ),
    "구매확정을 기다리고 있어요": "Waiting for the buyer to confirm",
    "구매자가 구매확정을 누르면 정산돼요.": "You are paid when the buyer confirms.",
    "거래가 완료됐어요": "This trade is complete",
    "거래해 주셔서 고맙습니다.": "Thank you for trading here.",
    "취소된 거래예요": "This trade was cancelled",
    "제때 결제되지 않아 취소됐어요.": "It was not paid in time.",
    "용품 다시 보기": "See the item again",
    "결제 내역": "Payment details",
    "구매 당시 가격": "Price when bought",
    "결제 방법": "Paid by",
    "결제한 때": "Paid at",
    "환불된 금액": "Refunded",
    "수수료": "Fee",
    "취소된 때": "Cancelled at",
    "결제취소": "Cancel payment",
    "거래 취소": "Cancelled",
    "복사": "Copy",
    "구매자 정보": "Your details",
    "결제사가 확인하는 정보예요. 결제에만 쓰고, 끝나면 지워요.": (
        "The payment company asks for these. We use them for the payment alone, then erase them."
    ),
    "이름": "Name",
    "휴대폰 번호": "Mobile number",
    "예금주 휴대폰 번호": "Account holder's mobile number",
    "복사했어요": "Copied",
    "올릴 수 없는 파일이에요: {names}. 8MB, 1억 1천만 화소까지 돼요(PNG 2,400만, WebP 1,200만).": (
        "These files can't be used: {names}."
        " A photo has at most 8 MB and 110 megapixels (PNG 24, WebP 12)."
    ),
    "보관한 사진": "Photos added so far",
    "저장하지 못했지만 사진은 남아 있어요. 다시 고르지 않아도 돼요.": (
        "Not saved yet, but your photos are still here. You don't need to choose them again."
    ),
    "빼기": "Leave out",
    "비밀번호 만들기": "Set a password",
    "새 비밀번호": "New password",
    "비밀번호 없이 계속하기": "Continue without a password",
    "예전 비밀번호는 더 이상 쓸 수 없어요.": "Your old password no longer works.",
    "{email} 주소의 주인이신 것이 간편 로그인으로 확인됐어요. "
    "확인 없이 만들어졌던 예전 비밀번호와 로그인은 안전을 위해 모두 끝냈어요.": (
        "Your sign-in proved that {email} is yours. The old password and sign-ins of this account "
        "were made without that proof, so we ended them for your safety."
    ),
    "간편 로그인은 그대로 쓸 수 있어요. 이메일로도 로그인하려면 비밀번호를 만들어 주세요.": (
        "You can keep signing in this way. To sign in by e-mail too, set a password."
    ),
    "비밀번호를 만들었어요. 이제 이메일로도 로그인할 수 있어요.": (
        "Your password is set. You can sign in by e-mail too."
    ),
    "거래 취소하기": "Cancel the trade",
    "돌려받을 금액": "You get back",
    "구매자에게 돌아갈 금액": "The buyer gets back",
    "취소하는 까닭": "Reason",
    "상대방에게도 보여요.": "The other party sees it too.",
    "환불받을 계좌": "Refund account",
    "가상계좌로 낸 돈은 본인 계좌로 돌려드려요. 환불에만 쓰고, 끝나면 지워요.": (
        "A deposit goes back to an account of yours. It is used for the refund alone, then erased."
    ),
    "돌아가기": "Back",
    "1개": "1 unit",
    "결제 금액": "Total",
    "이 용품은 지금 맡아 두고 있어요. 결제 기한:": "Held for you until:",
    "신용카드": "Card",
    "계좌이체": "Bank transfer",
    "휴대폰 결제": "Mobile phone",
    "간편결제": "Easy pay",
    "다른 결제수단": "Another way",
    "결제창에서 바로 결제해요.": "Pay at once, in a checkout window.",
    "가상계좌": "Virtual account",
    "나만의 계좌를 만들어 드려요. 기한 안에 입금하면 돼요.": (
        "You get an account of your own to deposit into."
    ),
    "{price} 결제하기": "Pay {price}",
    "결제금은 구매확정을 누를 때까지 판매자에게 가지 않아요.": (
        "The seller gets nothing before you confirm the purchase."
    ),
    "구매 그만두기": "Don't buy it after all",
    "할 수 없어요": "Not possible",
    "아직 올린 용품이 없어요": "You have listed nothing yet",
    "쓰지 않는 물건이 누군가에게는 꼭 필요할 수 있어요.": "Somebody may need what you don't.",
    "판매하기": "Sell",
    "원티드마켓": "Wanted Market",
    "본문으로 건너뛰기": "Skip to the content",
    "용품 검색": "Search items",
    "어떤 용품을 찾으세요?": "What are you looking for?",
    "검색": "Search",
    "내 메뉴": "My menu",
    "알림 {unread}개": "{unread} notices",
    "로그인": "Sign in",
    "회원가입": "Sign up",
    "결제금은 구매확정 때까지 원티드마켓이 보관하고, 그 뒤에 판매자에게 정산돼요.": (
        "Wanted Market holds your money until you confirm the purchase, and pays the seller then."
    ),
    "API 문서": "API documentation",
    "용품": "Items",
    "‘{q}’ 검색 결과": "Results for “{q}”",
    "새로 올라온 용품": "New items",
    "예약상태": "Status",
    "전체": "All",
    "찾으시는 용품이 아직 없어요": "Nothing like that here yet",
    "다른 낱말로 찾거나 예약상태를 바꿔 보세요.": "Try other words, or another status.",
    "전체 용품 보기": "Show all items",
    "아직 올라온 용품이 없어요": "Nothing is for sale yet",
    "첫 번째 판매자가 되어 보세요.": "Be the first to sell.",
    "선택": "optional",
    "은행을 골라 주세요": "Choose a bank",
    "구매": "Buying",
    "판매": "Selling",
    "내 정보": "My profile",
    "{name}님": "{name}",
    "이메일": "E-mail",
    "별명": "Nickname",
    "가입한 날": "Member since",
    "알림": "Notices",
    "로그아웃": "Sign out",
    "{name} 사진 {n}": "{name}, photo {n}",
    "수량": "Quantity",
    "{quantity}개 중 {remaining}개 남음": "{remaining} of {quantity} left",
    "수정하기": "Edit",
    "내 거래 보기": "See my trade",
    "구매하기": "Buy",
    "로그인하고 구매하기": "Sign in to buy",
    "안전결제: 물건을 받고 구매확정을 누를 때까지 결제금을 보관해요.": (
        "Safe payment: your money is held until the item has arrived and you confirm."
    ),
    "지금은 남은 수량이 없어요. 예약이 취소되면 다시 판매중이 돼요.": (
        "Every unit is reserved. If one is cancelled, it is on sale again."
    ),
    "모두 판매된 용품이에요.": "Every unit is sold.",
    "설명": "Description",
    "판매자가 적은 설명이 없어요.": "The seller has not described it.",
    "거래 {n}건": "Trades: {n}",
    "용품 수정": "Edit the item",
    "올린 사진": "Photos so far",
    "사진 {n}": "Photo {n}",
    "지우기": "Remove",
    "사진": "Photos",
    "JPEG, PNG, WebP 사진을 {most}장까지. 찍은 곳과 때 같은 정보는 지우고 올려요.": (
        "JPEG, PNG or WebP, up to {most}. Where and when they were taken is removed."
    ),
    "용품 이름": "Name of the item",
    "가격": "Price",
    "개": "units",
    "상태, 사용 기간, 구성품을 알려 주면 더 빨리 팔려요.": (
        "Condition, age and what is included help it sell sooner."
    ),
    "저장하기": "Save",
    "올리기": "List it",
    "그만두기": "Never mind",
    "이 계좌로 돌려받기": "Send it to this account",
    "다시 만나 반가워요": "Good to see you again",
    "비밀번호": "Password",
    "처음이세요?": "New here?",
    "원티드마켓에 오신 걸 환영해요": "Welcome to Wanted Market",
    "다른 회원에게 보이는 이름이에요.": "The name other members see.",
    "8자 이상": "At least 8 characters",
    "가입하기": "Sign up",
    "이미 회원이세요?": "A member already?",
    "거래": "Trade",
    "거르기": "Filter",
    "내가 사는 것": "I buy",
    "내가 파는 것": "I sell",
    "아직 아무것도 없어요": "Nothing here yet",
    "거래가 시작되면 여기에 보여요.": "Trades appear here once they begin.",
    "용품 둘러보기": "Look around",
    "카드 결제": "Pay by card",
    "결제창을 열고 있어요…": "Opening the checkout window…",
    "결제창을 열지 못했어요. 잠시 후 다시 시도해 주세요.": (
        "The checkout window did not open. Try again shortly."
    ),
    "결제창 열기": "Open the checkout window",
    "카드 결제창에는 자바스크립트가 필요해요. 자바스크립트를 켜거나 가상계좌로 결제해 주세요.": (
        "The card window needs JavaScript. Turn it on, or pay by virtual account."
    ),
    "판매중": "On sale",
    "예약중": "Reserved",
    "완료": "Sold",
    "결제 대기": "Awaiting payment",
    "결제 완료": "Paid",
    "국민은행": "KB Kookmin Bank",
    "신한은행": "Shinhan Bank",
    "우리은행": "Woori Bank",
    "하나은행": "Hana Bank",
    "농협은행": "NH Bank",
    "기업은행": "IBK",
    "카카오뱅크": "KakaoBank",
    "토스뱅크": "Toss Bank",
    "케이뱅크": "K bank",
    "산업은행": "KDB",
    "수협은행": "Suhyup Bank",
    "지역농축협": "Local Nonghyup",
    "SC제일은행": "SC First Bank",
    "씨티은행": "Citibank",
    "iM뱅크(대구)": "iM Bank (Daegu)",
    "부산은행": "Busan Bank",
    "광주은행": "Kwangju Bank",
    "전북은행": "Jeonbuk Bank",
    "경남은행": "Kyongnam Bank",
    "새마을금고": "KFCC",
    "신협": "Shinhyup",
    "우체국": "Korea Post",
    "{least}자 이상 적어 주세요.": "At least {least} characters.",
    "쓸 수 없는 문자가 있어요.": "It has a character that can't be kept.",
    "꼭 적어 주세요.": "Please fill this in.",
    "{most}자까지 적을 수 있어요.": "At most {most} characters.",
    "형식이 맞지 않아요.": "That doesn't look right.",
    "{least}부터 {most}까지의 숫자를 적어 주세요.": "A number from {least} to {most}.",
    "하나를 골라 주세요.": "Choose one.",
    "모두 읽음": "Mark all as read",
    "새 알림": "New",
    "아직 알림이 없어요": "No notices yet",
    "결제, 판매승인, 환불 소식을 여기에서 알려 드려요.": (
        "Payments, approvals and refunds are told here."
    ),
    "결제를 확인했어요. 판매승인을 기다려 주세요.": (
        "Your payment has arrived. The seller approves next."
    ),
    "판매자가 판매승인했어요. 물건을 받으면 구매확정을 눌러 주세요.": (
        "The seller approved. Confirm the purchase when the item has arrived."
    ),
    "물건을 받으셨나요? 구매확정을 눌러 주세요.": "Has it arrived? Please confirm the purchase.",
    "구매확정했어요.": "You confirmed the purchase.",
    "거래가 취소됐어요.": "The trade was cancelled.",
    "결제금을 돌려드렸어요.": "Your money went back to you.",
    "돌려드릴 돈이 있어요. 환불받을 계좌를 알려 주세요.": (
        "There is money to send back to you. Name a refund account."
    ),
    "구매자가 결제했어요. 판매승인을 눌러 주세요.": "The buyer has paid. Please approve the sale.",
    "구매자가 구매확정했어요. 곧 정산돼요.": "The buyer confirmed. You are paid soon.",
    "결제금 일부가 구매자에게 돌아갔어요.": "A part of the money went back to the buyer.",
    "다른 방법으로 시작하기": "Other ways in",
    "카카오로 시작하기": "Continue with Kakao",
    "네이버로 시작하기": "Continue with Naver",
    "용품을 올렸어요.": "Your item is listed.",
    "바뀐 내용을 저장했어요.": "Your changes are saved.",
    "이미 거래하고 있는 용품이에요.": "You have a trade of this item already.",
    "아쉽게도 모두 팔렸어요.": "Sorry, this is sold out.",
    "지금은 모두 예약됐어요. 예약이 취소되면 다시 살 수 있어요.": (
        "Every unit is reserved. You can buy one if a reservation is cancelled."
    ),
    "거래가 끝난 뒤에 결제됐어요. 결제하신 금액은 전액 환불돼요.": (
        "Your payment came too late for this trade. All of it goes back to you."
    ),
    "결제 내용이 거래와 달라서 받지 못했어요. 결제하신 금액은 전액 환불돼요.": (
        "What was paid is not what this trade asks for. All of it goes back to you."
    ),
    "그 사이에 가격이 바뀌었어요. 지금 가격을 확인하고 다시 눌러 주세요.": (
        "The price has changed. Check it, and press again to buy at the new price."
    ),
    "그 사이에 거래 금액이 바뀌었어요. 금액을 확인하고 다시 눌러 주세요.": (
        "The amount of this trade has changed. Check it, and press again."
    ),
    "결제가 끝났어요. 고맙습니다!": "Paid. Thank you!",
    "아직 결제되지 않았어요. 다시 결제하거나 다른 방법을 골라 주세요.": (
        "Not paid yet. Try again, or choose another way."
    ),
    "결제되지 않았어요. 다른 카드나 다른 방법으로 해 주세요.": (
        "The payment failed. Try another card or another way."
    ),
    "결제 결과를 확인하고 있어요. 확인되면 이 페이지가 저절로 바뀌어요.": (
        "We are looking up the outcome. This page changes by itself when we know."
    ),
    "판매승인했어요. 이제 물건을 보내 주세요.": "Approved. Now send the item.",
    "구매확정했어요. 고맙습니다!": "Confirmed. Thank you!",
    "취소를 접수했어요.": "Your cancellation is taken.",
    "계좌를 받았어요. 바로 돌려드릴게요.": "Thank you. The money goes back at once.",
}


_ENGLISH = {**EN, **console_words.EN}
_REFUSALS = {**CODES, **console_words.CODES}


def translator(lang: Lang) -> Translate:
    """Says things in one language; `{names}` in a sentence are filled in."""
    english = lang == "en"

    def translate(text: str, /, **names: object) -> str:
        if not text.isascii() or text in _ENGLISH:
            said = _ENGLISH[text] if english else text
        else:
            said = _REFUSALS.get(text, _ANY_REFUSAL)[english]
        return said.format(**names) if names else said

    return translate
